-- The jobs that a worker was given and that still run.
SELECT job.id, state.token
FROM state
CROSS JOIN job ON job.seq = state.seq
WHERE state.status = 3 AND state.worker = ?1
