-- Cancels a job that waits or has failed, or asks a running handler to stop. Answer: NULL when `scope` sees no such job,
-- 1 canceled, 2 asked, 3 it had finished. A job may change its phase between two looks; then it is looked for again.
CREATE OR REPLACE FUNCTION windlass.cancel(at bigint, wanted uuid, scope text, channel text) RETURNS smallint
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
    -- First of all, so that no two wait for each other.
    PERFORM windlass.gates_enter();
    FOR attempt IN 1..100 LOOP
        IF windlass.withdraw(now, its.queue, its.priority, its.seq) THEN
            PERFORM windlass.announce(at, channel);
            RETURN 1;
        END IF;
        IF windlass.request_cancel(now, wanted) THEN
            RETURN 2;
        END IF;
        UPDATE windlass.done SET status = 6, finished_at = now, updated_at = now
        WHERE done.seq = its.seq AND done.status = 5;
        IF FOUND THEN
            RETURN 1;
        END IF;
        PERFORM 1 FROM windlass.done WHERE done.seq = its.seq;
        IF FOUND THEN
            RETURN 3;
        END IF;
        PERFORM 1 FROM windlass.job WHERE job.seq = its.seq;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'job % changes faster than it can be canceled', wanted USING ERRCODE = 'serialization_failure';
END
$$;
