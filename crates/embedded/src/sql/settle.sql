-- Ends an attempt: compare-and-set on (seq, InProgress, token).
UPDATE state
SET status = ?3, retries = ?4, due_at = ?5, updated_at = ?6, error = ?7
WHERE seq = ?1 AND token = ?2 AND status = 3
