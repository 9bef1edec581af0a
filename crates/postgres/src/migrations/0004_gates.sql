-- The gates of a job's keys, `key:kind:value`, one a line.
ALTER TABLE windlass.job ADD COLUMN keys text COLLATE "C";

-- What holds at a gate: paused, how many may run, whether slots are kept between attempts, microseconds between two starts,
-- how far a bucket may be ahead, for how long it is left to gather; and all of it for readers. The row without a name stands
-- as long as there are rules, or traces of some.
CREATE TABLE windlass.rule (
    gate text COLLATE "C" PRIMARY KEY,
    paused boolean NOT NULL,
    running bigint,
    in_order boolean NOT NULL,
    apart bigint,
    tolerance bigint NOT NULL,
    patience bigint NOT NULL,
    record bytea NOT NULL
);

-- Which jobs have slots, at gates where a number is set.
CREATE TABLE windlass.slot (
    gate text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (gate, id)
);
CREATE INDEX slot_id ON windlass.slot (id);

-- When the bucket at a gate with a rate is full again.
CREATE TABLE windlass.bucket (
    gate text COLLATE "C" PRIMARY KEY,
    full_at bigint NOT NULL
);

-- Ready jobs that were passed over, by the gate where they wait: those that have their slot there are not behind.
CREATE TABLE windlass.held (
    gate text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    behind boolean NOT NULL,
    priority smallint NOT NULL,
    seq bigint NOT NULL UNIQUE,
    suspect boolean NOT NULL,
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
    PRIMARY KEY (gate, queue, behind, priority, seq)
);
CREATE INDEX held_queue ON windlass.held (queue);

-- Of which queues jobs wait at a gate.
CREATE TABLE windlass.line (
    gate text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    PRIMARY KEY (gate, queue)
);

-- When a queue should look again whether its jobs may pass a gate.
CREATE TABLE windlass.opening (
    queue text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    gate text COLLATE "C" NOT NULL,
    PRIMARY KEY (queue, at, gate)
);

CREATE OR REPLACE VIEW windlass.jobs AS
SELECT
    job.seq, job.id, job.name, job.queue, job.priority, job.owner, job.created_at, job.spec, job.payload,
    CASE
        WHEN ready.seq IS NOT NULL THEN 1
        WHEN scheduled.seq IS NOT NULL THEN 2
        WHEN run.seq IS NOT NULL THEN 3
        WHEN held.seq IS NOT NULL THEN 1
        ELSE done.status
    END::smallint AS status,
    coalesce(ready.token, scheduled.token, run.token, held.token, done.token) AS token,
    coalesce(ready.retries, scheduled.retries, run.retries, held.retries, done.retries) AS retries,
    coalesce(ready.crashes, scheduled.crashes, run.crashes, held.crashes, done.crashes) AS crashes,
    coalesce(run.cancel_requested, done.cancel_requested, false) AS cancel_requested,
    scheduled.due_at,
    coalesce(ready.started_at, scheduled.started_at, run.started_at, held.started_at, done.started_at) AS started_at,
    done.finished_at,
    coalesce(ready.updated_at, scheduled.updated_at, run.updated_at, held.updated_at, done.updated_at) AS updated_at,
    coalesce(ready.worker, scheduled.worker, run.worker, held.worker, done.worker) AS worker,
    coalesce(ready.progress, scheduled.progress, run.progress, held.progress, done.progress) AS progress,
    coalesce(ready.error, scheduled.error, run.error, held.error, done.error) AS error,
    done.result_type,
    done.result
FROM windlass.job
LEFT JOIN windlass.ready
    ON ready.queue = job.queue AND ready.suspect IN (false, true)
    AND ready.priority = job.priority AND ready.seq = job.seq
LEFT JOIN windlass.scheduled ON scheduled.seq = job.seq
LEFT JOIN windlass.run ON run.id = job.id
LEFT JOIN windlass.held ON held.seq = job.seq
LEFT JOIN windlass.done ON done.seq = job.seq;
