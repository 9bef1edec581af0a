-- The first jobs that wait for their turn at a gate.
SELECT
    job.id, job.name, job.owner, job.created_at, job.sum, job.spec, job.payload, state.priority,
    state.seq, state.token, state.retries, state.crashes
FROM held
CROSS JOIN state ON state.seq = held.seq AND state.status = 1 AND state.suspect >= 2
CROSS JOIN job ON job.seq = state.seq
WHERE held.queue = ?1 AND held.gate = ?2
ORDER BY held.behind, held.priority, held.seq
LIMIT ?3
