-- Who has or had the keys of unique jobs: in the statuses of a bit set, and until a moment where there is one.
CREATE TABLE holder (
    key BLOB NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    states INTEGER NOT NULL,
    until INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX holder_seq ON holder (seq);

CREATE INDEX holder_until ON holder (until) WHERE until IS NOT NULL;
