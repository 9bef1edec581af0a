-- A job by its number.
SELECT
    job.id, job.name, job.owner, job.created_at, job.sum, job.spec, job.payload, state.priority,
    state.seq, state.token, state.retries, state.crashes
FROM state
CROSS JOIN job ON job.seq = state.seq
WHERE state.seq = ?1
