-- Nothing holds at a gate any more.
DELETE FROM gate WHERE name = ?1
