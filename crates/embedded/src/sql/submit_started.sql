-- Keeps a new job that a worker gets at once: what submit_state and claim_start would write one after the other.
INSERT INTO state (seq, status, queue, priority, token, updated_at, started_at, worker)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)
