-- Sends a dead letter round again; the new token shuts out whoever settled it last. Answer: NULL when `scope` sees no
-- such job, true when it is queued again, false when it is no dead letter.
CREATE OR REPLACE FUNCTION windlass.replay(at bigint, wanted uuid, scope text, channel text) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    its windlass.job%ROWTYPE;
BEGIN
    SELECT * INTO its FROM windlass.job WHERE job.id = wanted AND (scope IS NULL OR job.owner = scope);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    WITH gone AS (
        DELETE FROM windlass.done WHERE done.seq = its.seq AND done.status = 5 RETURNING *
    )
    INSERT INTO windlass.ready
    SELECT its.queue, false, its.priority, seq, its.id, token + 1, 0, 0, its.max_crashes, now, started_at, worker,
        progress, error
    FROM gone;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM windlass.owners_mark(ARRAY[wanted]);
    PERFORM pg_notify(channel, 'ready');
    RETURN true;
END
$$;
