-- Keeps the jobs whose ids are new, unless their queue holds `queue_limit` waiting jobs already. Outcome: the status of
-- a new job (1, 2), 0 when the id is taken, -1 when the queue is full. A turn that does nothing else names the channel on
-- which others are woken; any other turn announces at its end.
CREATE OR REPLACE FUNCTION windlass.submit(
    at bigint, queue_limit bigint,
    ids uuid[], names text[], queues text[], priorities smallint[], owners text[], delays bigint[], moments bigint[],
    crash_limits bigint[], specs bytea[], payloads bytea[], channel text
) RETURNS TABLE (outcome smallint, accepted_at bigint)
LANGUAGE plpgsql VOLATILE
SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    outcomes smallint[];
    line text;
    room bigint;
    lines text[] := '{}';
    rooms bigint[] := '{}';
BEGIN
    -- Submissions that could overfill a line between them go one after the other; far from the limit nobody waits.
    IF queue_limit IS NOT NULL THEN
        FOR line IN SELECT DISTINCT q FROM unnest(queues) AS q ORDER BY q LOOP
            room := windlass.room(line, queue_limit);
            IF room < 4096 THEN
                PERFORM pg_advisory_xact_lock(hashtextextended('windlass.queue ' || line, 0));
                room := windlass.room(line, queue_limit);
            END IF;
            lines := lines || line;
            rooms := rooms || room;
        END LOOP;
    END IF;
    WITH asked AS MATERIALIZED (
        SELECT *, CASE WHEN a.delay IS NOT NULL THEN now + a.delay ELSE a.moment END AS start
        FROM unnest(ids, names, queues, priorities, owners, delays, moments, crash_limits, specs, payloads)
            WITH ORDINALITY AS a (id, name, queue, priority, owner, delay, moment, crash_limit, spec, payload, place)
    ), firsts AS MATERIALIZED (
        SELECT DISTINCT ON (id) * FROM asked ORDER BY id, place
    ), admitted AS MATERIALIZED (
        SELECT firsts.*
        FROM firsts
        WHERE queue_limit IS NULL
        UNION ALL
        SELECT (fresh.f).*
        FROM (
            SELECT f, row_number() OVER (PARTITION BY f.queue ORDER BY f.place) AS nth
            FROM firsts AS f
            WHERE queue_limit IS NOT NULL AND (SELECT job.seq FROM windlass.job WHERE job.id = f.id) IS NULL
        ) AS fresh
        JOIN unnest(lines, rooms) AS of_line (queue, room) ON of_line.queue = (fresh.f).queue
        WHERE fresh.nth <= of_line.room
    ), kept AS (
        INSERT INTO windlass.job (id, name, queue, priority, owner, created_at, max_crashes, spec, payload)
        SELECT id, name, queue, priority, owner, now, crash_limit, spec, payload FROM admitted ORDER BY place
        ON CONFLICT (id) DO NOTHING
        RETURNING job.seq, job.id
    ), placed AS MATERIALIZED (
        SELECT kept.seq, admitted.* FROM kept JOIN admitted ON admitted.id = kept.id
    ), queued AS (
        INSERT INTO windlass.ready
            (queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, updated_at)
        SELECT queue, false, priority, seq, id, greatest(now, 0), 0, 0, crash_limit, now
        FROM placed WHERE start IS NULL OR start <= now
    ), delayed AS (
        INSERT INTO windlass.scheduled
            (seq, queue, priority, suspect, due_at, id, token, retries, crashes, max_crashes, updated_at)
        SELECT seq, queue, priority, false, start, id, greatest(now, 0), 0, 0, crash_limit, now
        FROM placed WHERE start > now
    ), told AS MATERIALIZED (
        SELECT windlass.touch(queue, nullif(due, 0), min(seq))
        FROM (
            SELECT queue, seq, CASE WHEN start > now THEN start ELSE 0 END AS due FROM placed
        ) AS news
        GROUP BY queue, due
    )
    SELECT array_agg(
        CASE
            WHEN placed.place = asked.place THEN CASE WHEN placed.start > now THEN 2 ELSE 1 END
            WHEN placed.place IS NOT NULL THEN 0
            WHEN queue_limit IS NULL OR (SELECT job.seq FROM windlass.job WHERE job.id = asked.id) IS NOT NULL THEN 0
            WHEN asked.id = ANY (ARRAY(SELECT admitted.id FROM admitted)) THEN 0
            ELSE -1
        END::smallint ORDER BY asked.place)
    INTO outcomes
    FROM asked
    LEFT JOIN placed ON placed.id = asked.id
    -- What nobody reads is not run.
    WHERE (SELECT count(*) FROM told) >= 0;
    IF channel IS NOT NULL THEN
        PERFORM windlass.announce(at, channel);
    END IF;
    RETURN QUERY SELECT o, now FROM unnest(outcomes) AS o;
END
$$;
