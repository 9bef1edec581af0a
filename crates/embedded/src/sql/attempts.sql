-- A job's history, oldest first.
SELECT number, started_at, finished_at, outcome, worker, error
FROM attempt
WHERE seq = ?1
ORDER BY ordinal
