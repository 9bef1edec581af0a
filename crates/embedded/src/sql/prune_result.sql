-- Removes what a handler returned.
DELETE FROM result WHERE seq = ?1
