-- Puts a job back into its line.
UPDATE state SET suspect = suspect - 2 WHERE seq = ?1 AND status = 1 AND suspect >= 2
