-- The name of every line.
SELECT id, name FROM queue
