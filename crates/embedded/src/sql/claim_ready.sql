-- The first ready jobs of a line, suspects (?2 = 1) or others (?2 = 0).
SELECT
    job.id, job.name, job.owner, job.created_at, job.sum, job.spec, job.payload, state.priority,
    state.seq, state.token, state.retries, state.crashes
FROM state
CROSS JOIN job ON job.seq = state.seq
WHERE state.queue = ?1 AND state.suspect = ?2 AND state.status = 1
ORDER BY state.priority, state.seq
LIMIT ?3
