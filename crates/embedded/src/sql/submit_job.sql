-- Keeps a new job; changes nothing when its id is taken.
INSERT INTO job (seq, id, name, owner, created_at, sum, spec, payload)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (id) DO NOTHING
