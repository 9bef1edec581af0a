-- Keeps a schedule's next state; the writer has looked at the one before.
INSERT INTO schedule (name, revision, due_at, record)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, due_at = excluded.due_at, record = excluded.record
