-- Where jobs wait.
SELECT DISTINCT queue.name, held.gate
FROM held
JOIN queue ON queue.id = held.queue
