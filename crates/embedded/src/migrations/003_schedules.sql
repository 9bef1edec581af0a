-- What is submitted when. The revision is the moment of the last write, and rises with each.
CREATE TABLE schedule (
    name TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    due_at INTEGER,
    record BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX schedule_due ON schedule (due_at, name) WHERE due_at IS NOT NULL;
