-- Jobs that ran when the store was last open.
SELECT
    job.id, job.name, job.owner, job.created_at, job.sum, job.spec, job.payload, state.priority,
    state.seq, state.queue, state.token, state.retries, state.crashes, state.cancel_requested, state.started_at,
    state.worker
FROM state
CROSS JOIN job ON job.seq = state.seq
WHERE state.status = 3
