-- A job has taken from a bucket.
INSERT INTO bucket (gate, full_at) VALUES (?1, ?2) ON CONFLICT (gate) DO UPDATE SET full_at = excluded.full_at
