-- Sends a dead letter round again; the new token shuts out whoever settled it last.
UPDATE state
SET status = ?2, token = token + 1, retries = 0, crashes = 0, suspect = 0, cancel_requested = 0, updated_at = ?3
WHERE seq = ?1 AND status = 5
