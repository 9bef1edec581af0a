-- The first ready jobs of one level of priority in a line, no suspects, and when they were accepted.
SELECT state.seq, job.created_at
FROM state
CROSS JOIN job ON job.seq = state.seq
WHERE state.queue = ?1 AND state.suspect = 0 AND state.status = 1 AND state.priority = ?2
ORDER BY state.seq
LIMIT ?3
