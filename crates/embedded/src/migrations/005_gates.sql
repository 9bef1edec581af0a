-- Rules about which jobs may start, by gate.
CREATE TABLE gate (
    name TEXT NOT NULL PRIMARY KEY,
    rule BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- When the bucket at a gate with a rate is full again.
CREATE TABLE bucket (
    gate TEXT NOT NULL PRIMARY KEY,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Slots that jobs keep between their attempts.
CREATE TABLE slot (
    id BLOB NOT NULL,
    gate TEXT NOT NULL,
    PRIMARY KEY (id, gate)
) STRICT, WITHOUT ROWID;

-- Ready jobs that were passed over, which `state` tells by a `suspect` that is higher by two. Those that have their slot at
-- the gate already are not behind.
CREATE TABLE held (
    queue INTEGER NOT NULL,
    gate TEXT NOT NULL,
    behind INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (queue, gate, behind, priority, seq)
) STRICT, WITHOUT ROWID;
