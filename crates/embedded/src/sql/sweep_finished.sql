-- Finished jobs of a status whose retention is over, the oldest first.
SELECT seq FROM state
WHERE status = ?1 AND status >= 4 AND finished_at <= ?2
ORDER BY finished_at
LIMIT ?3
