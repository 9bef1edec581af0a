-- Keeps what a running handler says of its progress.
UPDATE state SET progress = ?3, updated_at = ?4 WHERE seq = ?1 AND token = ?2 AND status = 3
