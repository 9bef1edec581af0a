-- Takes a job back from a worker whose lease ran out; the new token shuts that worker out.
UPDATE state
SET status = ?3, token = token + 1, crashes = ?4, suspect = ?5, updated_at = ?6, error = ?7
WHERE seq = ?1 AND token = ?2 AND status = 3
