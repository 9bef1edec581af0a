-- Removes where a job stood.
DELETE FROM state WHERE seq = ?1
