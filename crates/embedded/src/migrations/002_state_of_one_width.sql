-- A job ends with its last change, so one column says both. A row is then as wide when its job has ended as it was while
-- the job ran, and a settlement writes over it in place; before, it grew, and full pages had to be split.
DROP VIEW jobs;

CREATE TABLE state_of_one_width (
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

INSERT INTO state_of_one_width
SELECT
    seq, status, queue, suspect, priority, token, retries, crashes, cancel_requested,
    coalesce(finished_at, updated_at), due_at, started_at, worker, progress, error
FROM state;

DROP TABLE state;
ALTER TABLE state_of_one_width RENAME TO state;

CREATE INDEX state_ready ON state (queue, suspect, priority) WHERE status = 1;
CREATE INDEX state_scheduled ON state (queue, due_at) WHERE status = 2;
CREATE INDEX state_finished ON state (status, updated_at) WHERE status >= 4;

-- Everything about a job but its attempts, for readers.
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
