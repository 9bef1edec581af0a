-- Ends an attempt: compare-and-set on (seq, InProgress, token).
UPDATE state
SET status = ?3, retries = ?4, due_at = ?5, finished_at = ?6, updated_at = ?7, error = ?8
WHERE seq = ?1 AND token = ?2 AND status = 3
