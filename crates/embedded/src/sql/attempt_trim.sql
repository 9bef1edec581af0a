-- Drops the oldest attempts of a job, so that ?2 stay.
DELETE FROM attempt
WHERE seq = ?1 AND ordinal <= (SELECT max(ordinal) FROM attempt WHERE seq = ?1) - ?2
