-- Fails a job that waits.
UPDATE state SET status = ?2, due_at = NULL, updated_at = ?3, error = ?5 WHERE seq = ?1 AND status = ?4
