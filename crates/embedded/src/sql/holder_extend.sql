-- Whoever holds a key does so for a new period.
UPDATE holder SET until = ?2 WHERE key = ?1
