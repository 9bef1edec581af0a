-- A schedule by its name.
SELECT name, revision, due_at, record FROM schedule WHERE name = ?1
