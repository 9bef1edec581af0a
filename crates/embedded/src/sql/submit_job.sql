-- Keeps a new job; fails on a taken id, which costs less than asking first (ON CONFLICT seeks once more).
INSERT INTO job (seq, id, name, owner, created_at, sum, spec, payload)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
