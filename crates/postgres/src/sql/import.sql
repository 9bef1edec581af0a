-- Keeps jobs as another store kept them, those whose ids are new. Attempts name their job by its place, from 1, and come
-- oldest first. Answer: for each job whether it was kept.
CREATE OR REPLACE FUNCTION windlass.import(
    at bigint, channel text,
    ids uuid[], names text[], queues text[], priorities smallint[], owners text[], created bigint[],
    crash_limits bigint[], specs bytea[], payloads bytea[],
    statuses smallint[], suspects boolean[], dues bigint[], retries integer[], crashes integer[], updated bigint[],
    started bigint[], finished bigint[], progresses bytea[], errors bytea[],
    a_places bigint[], a_numbers integer[], a_starts bigint[], a_ends bigint[], a_outcomes smallint[], a_workers uuid[],
    a_errors bytea[], keyses text[] DEFAULT NULL
) RETURNS TABLE (kept boolean)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    token bigint := greatest(windlass.clock(at), 0);
    places bigint[];
BEGIN
    WITH firsts AS MATERIALIZED (
        SELECT DISTINCT ON (a.id) *
        FROM unnest(ids, names, queues, priorities, owners, created, crash_limits, specs, payloads, statuses, suspects,
            dues, retries, crashes, updated, started, finished, progresses, errors, keyses)
            WITH ORDINALITY AS a (id, name, queue, priority, owner, created_at, max_crashes, spec, payload, status,
            suspect, due_at, retries, crashes, updated_at, started_at, finished_at, progress, error, keys, place)
        ORDER BY a.id, a.place
    ), taken AS (
        INSERT INTO windlass.job (id, name, queue, priority, owner, created_at, max_crashes, spec, payload, keys)
        SELECT f.id, f.name, f.queue, f.priority, f.owner, f.created_at, f.max_crashes, f.spec, f.payload, f.keys
        FROM firsts AS f ORDER BY f.place
        ON CONFLICT (id) DO NOTHING
        RETURNING job.seq, job.id
    ), placed AS MATERIALIZED (
        SELECT taken.seq, firsts.* FROM taken JOIN firsts ON firsts.id = taken.id
    ), queued AS (
        INSERT INTO windlass.ready
        SELECT p.queue, p.suspect, p.priority, p.seq, p.id, token, p.retries, p.crashes, p.max_crashes, p.updated_at,
            p.started_at, NULL, p.progress, p.error
        FROM placed AS p WHERE p.status = 1
    ), delayed AS (
        INSERT INTO windlass.scheduled
        SELECT p.seq, p.queue, p.priority, p.suspect, p.due_at, p.id, token, p.retries, p.crashes, p.max_crashes,
            p.updated_at, p.started_at, NULL, p.progress, p.error
        FROM placed AS p WHERE p.status = 2
    ), dead AS (
        INSERT INTO windlass.done
        SELECT p.seq, p.status, p.finished_at, token, p.retries, p.crashes, false, p.updated_at, p.started_at, NULL,
            p.progress, p.error, NULL, NULL
        FROM placed AS p WHERE p.status = 5
    ), noted AS (
        INSERT INTO windlass.attempt (seq, number, started_at, finished_at, outcome, worker, error)
        SELECT p.seq, a.number, a.started_at, a.finished_at, a.outcome, a.worker, a.error
        FROM unnest(a_places, a_numbers, a_starts, a_ends, a_outcomes, a_workers, a_errors)
            WITH ORDINALITY AS a (place, number, started_at, finished_at, outcome, worker, error, nth)
        JOIN placed AS p ON p.place = a.place
        ORDER BY a.nth
    ), told AS MATERIALIZED (
        SELECT windlass.touch(news.queue, news.due_at, min(news.seq))
        FROM placed AS news WHERE news.status <= 2
        GROUP BY news.queue, news.due_at
    )
    SELECT array_agg(placed.place) INTO places
    FROM placed
    -- What nobody reads is not run.
    WHERE (SELECT count(*) FROM told) >= 0;
    PERFORM windlass.owners_mark(ids);
    IF channel IS NOT NULL THEN
        PERFORM windlass.announce(at, channel);
    END IF;
    RETURN QUERY SELECT p.place = ANY (places) IS TRUE FROM generate_subscripts(ids, 1) AS p (place) ORDER BY p.place;
END
$$;
