-- Adds an attempt to a job's history.
INSERT INTO attempt (seq, ordinal, number, started_at, finished_at, outcome, worker, error)
SELECT ?1, coalesce(max(ordinal), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7
FROM attempt
WHERE seq = ?1
