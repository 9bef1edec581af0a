-- Puts a job that another store kept where it stood there.
INSERT INTO state (
    seq, status, queue, suspect, priority, token, retries, crashes, updated_at, due_at, started_at, progress,
    error
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
