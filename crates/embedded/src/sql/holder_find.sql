-- Which job has or had a key of unique jobs, on which terms, where it stands and waits. A number is used again when the job
-- that had it last is removed.
SELECT holder.id, holder.states, holder.until, state.status, queue.name
FROM holder
LEFT JOIN job ON job.seq = holder.seq AND job.id = holder.id
LEFT JOIN state ON state.seq = job.seq
LEFT JOIN queue ON queue.id = state.queue
WHERE holder.key = ?1
