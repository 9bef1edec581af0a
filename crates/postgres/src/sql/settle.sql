-- Ends attempts whose leases are good. Each settlement brings what it means for a job and, in `stop_*`, for one whose
-- cancellation was requested. `ends_later` says that a claim follows in the same transaction, or gates_end. Fate: 1 settled, 2 settled before by the same lease, 0 lease lost.
CREATE OR REPLACE FUNCTION windlass.settle(
    at bigint, history_max integer,
    ids uuid[], tokens bigint[], statuses smallint[], stop_statuses smallint[], outcomes smallint[],
    stop_outcomes smallint[], retried boolean[], delays bigint[], clears boolean[], errors bytea[], result_types text[],
    results bytea[],
    parents integer[], e_ids uuid[], e_names text[], e_queues text[], e_priorities smallint[], e_owners text[],
    e_delays bigint[], e_moments bigint[], e_crash_limits bigint[], e_specs bytea[], e_payloads bytea[],
    e_uniques text[], ends_later boolean DEFAULT false
) RETURNS TABLE (fate smallint, status smallint)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    places bigint[];
    stands smallint[];
    their_queues text[];
    remembered bigint[];
    mode text := windlass.gates_mode();
    serial boolean := mode = 'serial' AND windlass.gates_enter();
BEGIN
    WITH asked AS MATERIALIZED (
        SELECT DISTINCT ON (a.id, a.token) *
        FROM unnest(ids, tokens, statuses, stop_statuses, outcomes, stop_outcomes, retried, delays, clears, errors,
            result_types, results)
            WITH ORDINALITY AS a (id, token, status, stop_status, outcome, stop_outcome, retried, delay, clears, error,
            result_type, result, place)
        ORDER BY a.id, a.token, a.place
    ), ended AS (
        DELETE FROM windlass.run USING asked
        WHERE run.id = ANY (ids) AND run.id = asked.id AND run.token = asked.token AND run.expires_at > now
        RETURNING
            run.id, run.seq, run.queue, run.priority, run.suspect, run.token, run.cancel_requested, run.crashes,
            run.retries AS retries_before, run.max_crashes, run.started_at, run.worker, run.progress,
            asked.place, asked.result_type, asked.result, asked.error AS news, now + asked.delay AS due_at,
            CASE WHEN run.cancel_requested THEN asked.stop_status ELSE asked.status END AS status,
            CASE WHEN run.cancel_requested THEN asked.stop_outcome ELSE asked.outcome END AS outcome,
            run.retries + (asked.retried AND NOT run.cancel_requested)::integer AS retries,
            CASE WHEN asked.clears THEN NULL ELSE coalesce(asked.error, run.error) END AS error
    ), queued AS (
        INSERT INTO windlass.ready
        SELECT queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, now, started_at, worker,
            progress, error
        FROM ended WHERE ended.status = 1
    ), delayed AS (
        INSERT INTO windlass.scheduled
        SELECT seq, queue, priority, suspect, due_at, id, token, retries, crashes, max_crashes, now, started_at, worker,
            progress, error
        FROM ended WHERE ended.status = 2
    ), finished AS (
        INSERT INTO windlass.done
        SELECT seq, ended.status, now, token, retries, crashes, cancel_requested, now, started_at, worker, progress,
            error, result_type, result
        FROM ended WHERE ended.status >= 4
    ), noted AS (
        INSERT INTO windlass.attempt (seq, number, started_at, finished_at, outcome, worker, error)
        SELECT seq, retries_before + crashes + 1, started_at, now, outcome, worker, news
        FROM ended WHERE outcome IS NOT NULL
        RETURNING attempt.seq
    ), told AS MATERIALIZED (
        SELECT windlass.touch(queue, due_at, min(seq))
        FROM (
            SELECT queue, seq, CASE WHEN ended.status = 2 THEN due_at END AS due_at FROM ended WHERE ended.status <= 2
        ) AS news
        GROUP BY queue, due_at
    )
    SELECT
        array_agg(ended.place), array_agg(ended.status),
        (SELECT array_agg(noted.seq) FROM noted), array_agg(ended.queue) FILTER (WHERE mode <> 'free')
    INTO places, stands, remembered, their_queues
    FROM ended
    WHERE (SELECT count(*) FROM told) >= 0;

    IF mode <> 'free' AND places IS NOT NULL THEN
        IF serial THEN
            PERFORM windlass.gates_leave(now, ARRAY(SELECT ids[place] FROM unnest(places) AS place),
                ARRAY(SELECT stand >= 4 FROM unnest(stands) AS stand), their_queues);
        ELSE
            PERFORM set_config('windlass_turn.ended', string_agg(ended.line || '=' || ended.number || ';', ''), true)
            FROM (SELECT u.line, count(*) AS number FROM unnest(their_queues) AS u (line) GROUP BY u.line) AS ended;
        END IF;
        IF 2 >= ANY (stands) THEN
            PERFORM windlass.owners_mark(ARRAY(SELECT ids[s.place] FROM unnest(places, stands) AS s (place, stand) WHERE s.stand <= 2));
        END IF;
    END IF;
    IF remembered IS NOT NULL THEN
        DELETE FROM windlass.attempt
        WHERE attempt.seq = ANY (remembered) AND attempt.ordinal <= (
            SELECT a.ordinal FROM windlass.attempt AS a
            WHERE a.seq = attempt.seq ORDER BY a.ordinal DESC OFFSET history_max LIMIT 1);
    END IF;

    IF cardinality(parents) > 0 AND e_uniques IS NULL THEN
        PERFORM windlass.submit(at, NULL, array_agg(e.id ORDER BY e.place), array_agg(e.name ORDER BY e.place),
            array_agg(e.queue ORDER BY e.place), array_agg(e.priority ORDER BY e.place),
            array_agg(e.owner ORDER BY e.place), array_agg(e.delay ORDER BY e.place),
            array_agg(e.moment ORDER BY e.place), array_agg(e.crash_limit ORDER BY e.place),
            array_agg(e.spec ORDER BY e.place), array_agg(e.payload ORDER BY e.place), NULL, NULL,
            false)
        FROM unnest(parents, e_ids, e_names, e_queues, e_priorities, e_owners, e_delays, e_moments, e_crash_limits,
            e_specs, e_payloads) WITH ORDINALITY
            AS e (parent, id, name, queue, priority, owner, delay, moment, crash_limit, spec, payload, place)
        WHERE e.parent = ANY (places)
        HAVING count(*) > 0;
    ELSIF cardinality(parents) > 0 THEN
        PERFORM windlass.submit_unique(at, NULL, e_ids[i:i], e_names[i:i], e_queues[i:i], e_priorities[i:i],
            e_owners[i:i], e_delays[i:i], e_moments[i:i], e_crash_limits[i:i], e_specs[i:i], e_payloads[i:i], NULL,
            e_uniques[i:i], false)
        FROM generate_subscripts(parents, 1) AS i
        WHERE parents[i] = ANY (places);
    END IF;

    IF mode = 'counted' AND NOT ends_later THEN
        PERFORM windlass.gates_end(at);
    END IF;

    RETURN QUERY
    SELECT
        CASE WHEN answer.here IS NOT NULL THEN 1 WHEN answer.before IS NOT NULL THEN 2 ELSE 0 END::smallint,
        coalesce(answer.here, answer.before, 0::smallint)
    FROM (
        SELECT asked.place, here.status AS here,
            CASE WHEN here.status IS NULL THEN windlass.standing(asked.id, asked.token) END AS before
        FROM unnest(ids, tokens) WITH ORDINALITY AS asked (id, token, place)
        LEFT JOIN unnest(places, stands) AS here (place, status) ON here.place = asked.place
    ) AS answer
    ORDER BY answer.place;
END
$$;
