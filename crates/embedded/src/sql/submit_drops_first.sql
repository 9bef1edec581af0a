-- The job of a queue that makes room for a new one: the oldest of the least urgent that are ready, or another one that waits, at a
-- gate (suspect = 2), as a suspect or for its time.
SELECT job.id
FROM (
    SELECT * FROM (
        SELECT state.seq FROM state
        WHERE state.queue = ?1 AND state.suspect = 0 AND state.status = 1 AND state.priority = (
            SELECT last.priority FROM state AS last WHERE last.queue = ?1 AND last.suspect = 0 AND last.status = 1
            ORDER BY last.priority DESC LIMIT 1)
        ORDER BY state.seq LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT state.seq FROM state WHERE state.queue = ?1 AND state.suspect = 2 AND state.status = 1 LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT state.seq FROM state WHERE state.queue = ?1 AND state.suspect = 1 AND state.status = 1 LIMIT 1)
    UNION ALL
    SELECT * FROM (
        SELECT state.seq FROM state WHERE state.queue = ?1 AND state.status = 2 ORDER BY state.due_at DESC LIMIT 1)
) AS waiting
JOIN job ON job.seq = waiting.seq
LIMIT 1
