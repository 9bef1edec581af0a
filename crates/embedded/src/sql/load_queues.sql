-- Every line with the number of jobs that wait in it.
SELECT
    queue.id,
    queue.name,
    (SELECT count(*) FROM state WHERE state.queue = queue.id AND state.status = 1)
    + (SELECT count(*) FROM state WHERE state.queue = queue.id AND state.status = 2)
FROM queue
ORDER BY queue.id
