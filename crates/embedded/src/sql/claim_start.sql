-- Gives a ready job to a worker.
UPDATE state
SET status = 3, token = ?2, started_at = ?3, updated_at = ?3, worker = ?4, progress = NULL
WHERE seq = ?1 AND status = 1
