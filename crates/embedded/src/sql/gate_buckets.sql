-- All buckets.
SELECT gate, full_at FROM bucket
