-- Takes jobs back from workers whose leases ran out, as the caller decided for each of them and, in `stop_status`, for
-- those whose cancellation was requested; the new token shuts the workers out. Answers where the jobs went.
CREATE OR REPLACE FUNCTION windlass.reclaim(
    at bigint, history_max integer, ids uuid[], tokens bigint[], statuses smallint[], suspects boolean[],
    errors bytea[], stop_status smallint, crashed bytea
) RETURNS TABLE (went_to smallint)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    remembered bigint[];
    went smallint[];
    ended uuid[];
    their_queues text[];
    mode text := windlass.gates_mode();
BEGIN
    IF mode = 'serial' THEN
        PERFORM windlass.gates_enter();
    END IF;
    WITH lost AS (
        DELETE FROM windlass.run
        USING unnest(ids, tokens, statuses, suspects, errors) AS asked (id, token, status, suspect, error)
        WHERE run.id = ANY (ids) AND run.id = asked.id AND run.token = asked.token AND run.expires_at <= now
        RETURNING run.id, run.seq, run.queue, run.priority, run.token, run.cancel_requested, run.retries, run.crashes,
            run.max_crashes, run.started_at, run.worker, run.progress, asked.suspect,
            CASE WHEN run.cancel_requested THEN stop_status ELSE asked.status END AS status,
            CASE WHEN run.cancel_requested THEN crashed ELSE asked.error END AS error
    ), queued AS (
        INSERT INTO windlass.ready
        SELECT queue, lost.suspect, priority, seq, id, token + 1, retries, crashes + 1, max_crashes, now, started_at,
            worker, progress, lost.error
        FROM lost WHERE lost.status = 1
    ), finished AS (
        INSERT INTO windlass.done
        SELECT seq, lost.status, now, token + 1, retries, crashes + 1, cancel_requested, now, started_at, worker,
            progress, lost.error
        FROM lost WHERE lost.status >= 4
    ), noted AS (
        INSERT INTO windlass.attempt (seq, number, started_at, finished_at, outcome, worker, error)
        SELECT seq, retries + crashes + 1, started_at, now, 3, worker, crashed FROM lost
    ), told AS MATERIALIZED (
        SELECT windlass.touch(queue, NULL, min(seq)) FROM lost WHERE lost.status = 1 GROUP BY queue
    )
    SELECT array_agg(lost.seq), array_agg(lost.status), array_agg(lost.id), array_agg(lost.queue)
    INTO remembered, went, ended, their_queues
    FROM lost WHERE (SELECT count(*) FROM told) >= 0;
    IF mode <> 'free' AND ended IS NOT NULL THEN
        IF mode = 'counted' THEN
            PERFORM windlass.gates_end(at);
        END IF;
        PERFORM windlass.gates_leave(now, ended, ARRAY(SELECT stand >= 4 FROM unnest(went) AS stand), their_queues);
        PERFORM windlass.owners_mark(ended);
    END IF;
    IF remembered IS NOT NULL THEN
        DELETE FROM windlass.attempt
        WHERE attempt.seq = ANY (remembered) AND attempt.ordinal <= (
            SELECT a.ordinal FROM windlass.attempt AS a
            WHERE a.seq = attempt.seq ORDER BY a.ordinal DESC OFFSET history_max LIMIT 1);
    END IF;
    RETURN QUERY SELECT unnest(went);
END
$$;
