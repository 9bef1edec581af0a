-- Which job has or had a key of unique jobs, on which terms, where it stands and waits.
SELECT holder.id, holder.states, holder.until, state.status, queue.name
FROM holder
LEFT JOIN state ON state.seq = holder.seq
LEFT JOIN queue ON queue.id = state.queue
WHERE holder.key = ?1
