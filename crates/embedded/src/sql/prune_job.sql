-- Removes a job and, by its foreign key, its attempts.
DELETE FROM job WHERE seq = ?1
