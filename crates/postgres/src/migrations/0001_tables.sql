-- Jobs by phase. A hot row is small and short-lived, and the payload is written once (ADR 7). Times are microseconds
-- since 1970. Status: 1 Queued, 2 Scheduled, 3 InProgress, 4 Completed, 5 Failed, 6 Canceled.

-- What was submitted. Never changed.
CREATE TABLE windlass.job (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    name text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    owner text COLLATE "C",
    created_at bigint NOT NULL,
    max_crashes bigint NOT NULL,
    spec bytea NOT NULL,
    payload bytea NOT NULL
);

-- Jobs that can be claimed: suspects first, then by priority, then in order of acceptance.
CREATE TABLE windlass.ready (
    queue text COLLATE "C" NOT NULL,
    suspect boolean NOT NULL,
    priority smallint NOT NULL,
    seq bigint NOT NULL,
    id uuid NOT NULL,
    token bigint NOT NULL,
    retries integer NOT NULL,
    crashes integer NOT NULL,
    max_crashes bigint NOT NULL,
    updated_at bigint NOT NULL,
    started_at bigint,
    worker uuid,
    progress bytea,
    error bytea,
    PRIMARY KEY (queue, suspect, priority, seq)
);

-- Jobs that wait for their time.
CREATE TABLE windlass.scheduled (
    seq bigint PRIMARY KEY,
    queue text COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    suspect boolean NOT NULL,
    due_at bigint NOT NULL,
    id uuid NOT NULL,
    token bigint NOT NULL,
    retries integer NOT NULL,
    crashes integer NOT NULL,
    max_crashes bigint NOT NULL,
    updated_at bigint NOT NULL,
    started_at bigint,
    worker uuid,
    progress bytea,
    error bytea
);
CREATE INDEX scheduled_due ON windlass.scheduled (queue, due_at);

-- Jobs that a worker holds until `expires_at`. No index on that: extending a lease stays a change of one page.
CREATE TABLE windlass.run (
    id uuid PRIMARY KEY,
    seq bigint NOT NULL,
    queue text COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    suspect boolean NOT NULL,
    token bigint NOT NULL,
    expires_at bigint NOT NULL,
    cancel_requested boolean NOT NULL DEFAULT false,
    retries integer NOT NULL,
    crashes integer NOT NULL,
    max_crashes bigint NOT NULL,
    updated_at bigint NOT NULL,
    started_at bigint NOT NULL,
    worker uuid NOT NULL,
    progress bytea,
    error bytea
) WITH (fillfactor = 70);

-- Jobs that have finished, with what their handlers returned.
CREATE TABLE windlass.done (
    seq bigint PRIMARY KEY,
    status smallint NOT NULL CHECK (status BETWEEN 4 AND 6),
    finished_at bigint NOT NULL,
    token bigint NOT NULL,
    retries integer NOT NULL,
    crashes integer NOT NULL,
    cancel_requested boolean NOT NULL DEFAULT false,
    updated_at bigint NOT NULL,
    started_at bigint,
    worker uuid,
    progress bytea,
    error bytea,
    result_type text,
    result bytea
);
CREATE INDEX done_finished ON windlass.done (status, finished_at);

-- Attempts that did not complete; the one that did is read from `done`. Outcome: 2 Failed, 3 Crashed, 4 Canceled.
CREATE TABLE windlass.attempt (
    seq bigint NOT NULL,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    number integer NOT NULL,
    started_at bigint NOT NULL,
    finished_at bigint NOT NULL,
    outcome smallint NOT NULL CHECK (outcome BETWEEN 2 AND 4),
    worker uuid NOT NULL,
    error bytea,
    PRIMARY KEY (seq, ordinal)
);

-- Everything about a job but its attempts. A job is in one phase at a time.
CREATE VIEW windlass.jobs AS
SELECT
    job.seq, job.id, job.name, job.queue, job.priority, job.owner, job.created_at, job.spec, job.payload,
    CASE
        WHEN ready.seq IS NOT NULL THEN 1
        WHEN scheduled.seq IS NOT NULL THEN 2
        WHEN run.seq IS NOT NULL THEN 3
        ELSE done.status
    END::smallint AS status,
    coalesce(ready.token, scheduled.token, run.token, done.token) AS token,
    coalesce(ready.retries, scheduled.retries, run.retries, done.retries) AS retries,
    coalesce(ready.crashes, scheduled.crashes, run.crashes, done.crashes) AS crashes,
    coalesce(run.cancel_requested, done.cancel_requested, false) AS cancel_requested,
    scheduled.due_at,
    coalesce(ready.started_at, scheduled.started_at, run.started_at, done.started_at) AS started_at,
    done.finished_at,
    coalesce(ready.updated_at, scheduled.updated_at, run.updated_at, done.updated_at) AS updated_at,
    coalesce(ready.worker, scheduled.worker, run.worker, done.worker) AS worker,
    coalesce(ready.progress, scheduled.progress, run.progress, done.progress) AS progress,
    coalesce(ready.error, scheduled.error, run.error, done.error) AS error,
    done.result_type,
    done.result
FROM windlass.job
LEFT JOIN windlass.ready
    ON ready.queue = job.queue AND ready.suspect IN (false, true)
    AND ready.priority = job.priority AND ready.seq = job.seq
LEFT JOIN windlass.scheduled ON scheduled.seq = job.seq
LEFT JOIN windlass.run ON run.id = job.id
LEFT JOIN windlass.done ON done.seq = job.seq;
