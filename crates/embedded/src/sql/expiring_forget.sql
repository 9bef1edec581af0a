-- Forgets when to look at a job.
DELETE FROM expiring WHERE look_at = ?1 AND id = ?2
