-- When to look whether a job that expires still waits. A note may be of a job that has finished or gone.
CREATE TABLE expiring (
    look_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (look_at, id)
) STRICT, WITHOUT ROWID;
