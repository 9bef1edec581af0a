-- Forgets buckets that are full.
DELETE FROM bucket WHERE full_at <= ?1
