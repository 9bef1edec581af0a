-- Of the least urgent jobs of an owner that wait the oldest.
SELECT job.id, state.queue
FROM (SELECT owned.seq FROM temp.owned WHERE owned.owner = ?1 ORDER BY owned.priority DESC, owned.seq LIMIT 1) AS first
JOIN state ON state.seq = first.seq
JOIN job ON job.seq = first.seq
