-- Cancels a job that does not run.
UPDATE state SET status = ?2, due_at = NULL, updated_at = ?3 WHERE seq = ?1 AND status = ?4
