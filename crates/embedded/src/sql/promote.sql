-- Makes due jobs of a line ready, the earliest first.
UPDATE state
SET status = 1, due_at = NULL, updated_at = ?2
WHERE seq IN (
    SELECT seq FROM state
    WHERE queue = ?1 AND status = 2 AND due_at <= ?2
    ORDER BY due_at, seq
    LIMIT ?3
)
