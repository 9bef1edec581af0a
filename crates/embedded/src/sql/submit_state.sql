-- Puts a new job into its line.
INSERT INTO state (seq, status, queue, priority, token, updated_at, due_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
