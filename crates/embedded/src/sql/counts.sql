-- How many jobs of each line have each status.
SELECT queue.name, state.status, count(*)
FROM state
JOIN queue ON queue.id = state.queue
GROUP BY state.queue, state.status
