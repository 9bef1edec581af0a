CREATE VIEW jobs AS
SELECT
    job.id,
    job.name,
    job.owner,
    job.created_at,
    job.sum,
    job.spec,
    job.payload,
    state.priority,
    queue.name AS queue,
    state.seq,
    state.status,
    state.retries,
    state.crashes,
    state.cancel_requested,
    state.due_at,
    state.started_at,
    iif(state.status >= 4, state.updated_at, NULL) AS finished_at,
    state.updated_at,
    state.worker,
    state.progress,
    state.error,
    result.content_type AS result_type,
    result.body AS result_body,
    result.sum AS result_sum
FROM state
JOIN job ON job.seq = state.seq
JOIN queue ON queue.id = state.queue
LEFT JOIN result ON result.seq = state.seq;

CREATE TABLE attempt (
    seq INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    outcome INTEGER NOT NULL CHECK (outcome BETWEEN 2 AND 4),
    worker BLOB NOT NULL,
    error BLOB,
    PRIMARY KEY (seq, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE bucket (
    gate TEXT NOT NULL PRIMARY KEY,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE expiring (
    look_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (look_at, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE gate (
    name TEXT NOT NULL PRIMARY KEY,
    rule BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE held (
    queue INTEGER NOT NULL,
    gate TEXT NOT NULL,
    behind INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (queue, gate, behind, priority, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE holder (
    key BLOB NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    states INTEGER NOT NULL,
    until INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    owner TEXT,
    created_at INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    spec BLOB NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE result (
    seq INTEGER PRIMARY KEY,
    content_type TEXT NOT NULL,
    body BLOB NOT NULL,
    sum INTEGER NOT NULL
) STRICT;

CREATE TABLE schedule (
    name TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    due_at INTEGER,
    record BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE slot (
    id BLOB NOT NULL,
    gate TEXT NOT NULL,
    PRIMARY KEY (id, gate)
) STRICT, WITHOUT ROWID;

CREATE TABLE "state" (
    seq INTEGER PRIMARY KEY,
    status INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    suspect INTEGER NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL,
    token INTEGER NOT NULL,
    retries INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL,
    due_at INTEGER,
    started_at INTEGER,
    worker BLOB,
    progress BLOB,
    error BLOB,
    CHECK ((status = 2) = (due_at IS NOT NULL)),
    CHECK (status <> 3 OR (worker IS NOT NULL AND started_at IS NOT NULL))
) STRICT;

CREATE INDEX holder_seq ON holder (seq);

CREATE INDEX holder_until ON holder (until) WHERE until IS NOT NULL;

CREATE INDEX schedule_due ON schedule (due_at, name) WHERE due_at IS NOT NULL;

CREATE INDEX state_finished ON state (status, updated_at) WHERE status >= 4;

CREATE INDEX state_ready ON state (queue, suspect, priority) WHERE status = 1;

CREATE INDEX state_scheduled ON state (queue, due_at) WHERE status = 2;
