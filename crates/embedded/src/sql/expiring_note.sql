-- Notes when to look at a job.
INSERT INTO expiring (look_at, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING
