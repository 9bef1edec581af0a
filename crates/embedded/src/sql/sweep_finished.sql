-- Finished jobs of a status whose retention is over, the oldest first.
SELECT seq FROM state
WHERE status = ?1 AND status >= 4 AND updated_at <= ?2
ORDER BY updated_at
LIMIT ?3
