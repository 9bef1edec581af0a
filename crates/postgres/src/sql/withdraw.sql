-- Ends a job that waits: cancels it, or what `stand` says, for a reason; whether it did.
CREATE OR REPLACE FUNCTION windlass.withdraw(
    now bigint, its_queue text, its_priority smallint, its_seq bigint, stand smallint DEFAULT 6, reason bytea DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    WITH gone AS (
        DELETE FROM windlass.ready
        WHERE ready.queue = its_queue AND ready.suspect IN (false, true) AND ready.priority = its_priority
            AND ready.seq = its_seq
        RETURNING *
    )
    INSERT INTO windlass.done
    SELECT seq, stand, now, token, retries, crashes, false, now, started_at, worker, progress, coalesce(reason, error)
    FROM gone;
    IF FOUND THEN
        PERFORM windlass.gates_withdraw(now, its_seq);
        RETURN true;
    END IF;
    WITH gone AS (
        DELETE FROM windlass.held WHERE held.seq = its_seq RETURNING *
    )
    INSERT INTO windlass.done
    SELECT seq, stand, now, token, retries, crashes, false, now, started_at, worker, progress, coalesce(reason, error)
    FROM gone;
    IF FOUND THEN
        PERFORM windlass.gates_withdraw(now, its_seq);
        RETURN true;
    END IF;
    WITH gone AS (
        DELETE FROM windlass.scheduled WHERE scheduled.seq = its_seq RETURNING *
    )
    INSERT INTO windlass.done
    SELECT seq, stand, now, token, retries, crashes, false, now, started_at, worker, progress, coalesce(reason, error)
    FROM gone;
    IF FOUND THEN
        PERFORM windlass.gates_withdraw(now, its_seq);
        RETURN true;
    END IF;
    RETURN false;
END
$$;
