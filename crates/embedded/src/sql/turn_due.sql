-- Due jobs of a line, those that promote makes ready.
SELECT
    job.id, job.name, job.owner, job.created_at, job.sum, job.spec, job.payload, state.priority,
    state.seq, state.token, state.retries, state.crashes
FROM state
CROSS JOIN job ON job.seq = state.seq
WHERE state.queue = ?1 AND state.status = 2 AND state.due_at <= ?2
ORDER BY state.due_at, state.seq
LIMIT ?3
