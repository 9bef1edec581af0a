-- Ends an attempt that says nothing about errors: the one on record stays. Compare-and-set as in settle.
UPDATE state
SET status = ?3, retries = ?4, due_at = ?5, updated_at = ?6
WHERE seq = ?1 AND token = ?2 AND status = 3
