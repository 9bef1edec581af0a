-- Forgets keys whose period is over.
DELETE FROM holder WHERE key IN (SELECT key FROM holder WHERE until <= ?1 ORDER BY until LIMIT ?2)
