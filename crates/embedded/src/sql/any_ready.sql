-- Whether a line has a ready job.
SELECT EXISTS (SELECT 1 FROM state WHERE queue = ?1 AND status = 1 AND suspect < 2)
