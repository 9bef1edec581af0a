-- Keeps the jobs whose ids are new, unless their queue holds `queue_limit` waiting jobs already. Outcome: the status of
-- a new job (1, 2), 0 when the id is taken, -1 when the queue is full, -3 when it is kept in place of another that waited in a
-- full queue and is `standing`, -4 when its owner has submitted as many as it may and has
-- to wait for so long, -5 when as many of its owner's wait as may; those that no caller submits, but a handler or a schedule, do not count there. A turn that does nothing
-- else names the channel on which others are woken; any other turn announces at its end.
CREATE OR REPLACE FUNCTION windlass.submit(
    at bigint, queue_limit bigint,
    ids uuid[], names text[], queues text[], priorities smallint[], owners text[], delays bigint[], moments bigint[],
    crash_limits bigint[], specs bytea[], payloads bytea[], channel text, keyses text[] DEFAULT NULL,
    of_callers boolean DEFAULT true
) RETURNS TABLE (outcome smallint, accepted_at bigint, wait bigint, standing uuid)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    line text;
    room bigint;
    lines text[] := '{}';
    rooms bigint[] := '{}';
    refused uuid[] := '{}';
    new_ids uuid[];
    new_seqs bigint[];
    starts bigint[];
    -- Where each job waits for its turn, in queues that are shared.
    their_lines text[];
    waits bigint[];
    most bigint;
    -- Whether owners' jobs are counted, as was seen when the jobs were kept: an edit that begins to count keeps that waiting.
    counted boolean;
    -- Whether rules may hold for what callers submit.
    ruled boolean := of_callers AND EXISTS (SELECT 1 FROM windlass.rule);
BEGIN
    -- Where one makes room for another, or too many of an owner may wait, they come one after the other.
    IF ruled AND EXISTS (
        SELECT 1 FROM windlass.rule
        WHERE (rule.drops OR rule.waiting IS NOT NULL AND starts_with(rule.gate, 'owner')) AND rule.gate = ANY (
            ARRAY(SELECT 'queue:' || q FROM unnest(queues) AS q)
            || ARRAY(SELECT g FROM unnest(owners) AS o, unnest(ARRAY['owner:' || o, 'owners']) AS g WHERE o IS NOT NULL))
    ) THEN
        RETURN QUERY SELECT * FROM windlass.submit_few(at, queue_limit, ids, names, queues, priorities, owners, delays, moments,
            crash_limits, specs, payloads, channel, keyses);
        RETURN;
    END IF;
    IF ruled THEN
        waits := windlass.owners_wait(now, ids, owners);
    END IF;
    IF waits IS NOT NULL THEN
        refused := ARRAY(SELECT a.id FROM unnest(ids, waits) AS a (id, wait) WHERE a.wait IS NOT NULL);
    END IF;
    -- Submissions that could overfill a line between them go one after the other; far from the limit nobody waits.
    IF queue_limit IS NOT NULL OR ruled THEN
        FOR line IN SELECT DISTINCT q FROM unnest(queues) AS q ORDER BY q LOOP
            most := queue_limit;
            IF ruled THEN
                most := (SELECT b.most FROM windlass.backlog_of(line, queue_limit) AS b);
            END IF;
            CONTINUE WHEN most IS NULL;
            room := windlass.room(line, most);
            IF room < 4096 THEN
                PERFORM pg_advisory_xact_lock(hashtextextended('windlass.queue ' || line, 0));
                room := windlass.room(line, most);
            END IF;
            lines := lines || line;
            rooms := rooms || room;
        END LOOP;
        SELECT refused || coalesce(array_agg(fresh.id), '{}') INTO refused
        FROM (
            SELECT f.id, f.queue, row_number() OVER (PARTITION BY f.queue ORDER BY f.place) AS nth
            FROM (
                SELECT DISTINCT ON (a.id) a.*
                FROM unnest(ids, queues) WITH ORDINALITY AS a (id, queue, place)
                WHERE a.id <> ALL (refused)
                ORDER BY a.id, a.place
            ) AS f
            WHERE (SELECT job.seq FROM windlass.job WHERE job.id = f.id) IS NULL
        ) AS fresh
        JOIN unnest(lines, rooms) AS of_line (queue, room) ON of_line.queue = fresh.queue
        WHERE fresh.nth > of_line.room;
    END IF;

    WITH kept AS (
        INSERT INTO windlass.job (id, name, queue, priority, owner, created_at, max_crashes, spec, payload, keys)
        SELECT a.id, a.name, a.queue, a.priority, a.owner, now, a.crash_limit, a.spec, a.payload, a.keys
        FROM unnest(ids, names, queues, priorities, owners, crash_limits, specs, payloads, keyses)
            WITH ORDINALITY AS a (id, name, queue, priority, owner, crash_limit, spec, payload, keys, place)
        WHERE a.id <> ALL (refused)
        ORDER BY a.place
        ON CONFLICT (id) DO NOTHING
        RETURNING job.seq, job.id
    )
    SELECT array_agg(kept.seq), array_agg(kept.id), EXISTS (
        SELECT 1 FROM windlass.rule WHERE rule.gate >= 'owner' AND rule.gate < 'owner~' AND rule.waiting IS NOT NULL)
    INTO new_seqs, new_ids, counted FROM kept;
    -- The number of each job that is new, at its place; nearly always all are.
    IF new_ids IS DISTINCT FROM ids THEN
        SELECT array_agg(new.seq ORDER BY a.place) INTO new_seqs
        FROM (
            SELECT b.id, b.place, row_number() OVER (PARTITION BY b.id ORDER BY b.place) AS nth
            FROM unnest(ids) WITH ORDINALITY AS b (id, place)
        ) AS a
        LEFT JOIN unnest(new_ids, new_seqs) AS new (id, seq) ON new.id = a.id AND a.nth = 1;
    END IF;

    -- When each job may start, where that is not at once.
    SELECT array_agg(CASE WHEN d.start > now THEN d.start END ORDER BY d.place) INTO starts
    FROM (
        SELECT b.place, CASE WHEN b.delay IS NOT NULL THEN now + b.delay ELSE b.moment END AS start
        FROM unnest(delays, moments) WITH ORDINALITY AS b (delay, moment, place)
    ) AS d;
    IF windlass.turns_enter() THEN
        SELECT array_agg(CASE WHEN s.start IS NULL THEN windlass.turns_line_of(s.queue, s.keys) END ORDER BY s.place)
        INTO their_lines
        FROM unnest(queues, keyses, starts) WITH ORDINALITY AS s (queue, keys, start, place);
        WITH lined AS (
            INSERT INTO windlass.held
                (gate, queue, behind, priority, seq, suspect, id, token, retries, crashes, max_crashes, updated_at, owner)
            SELECT a.line, a.queue, true, a.priority, a.seq, false, a.id, greatest(now, 0), 0, 0, a.crash_limit, now,
                CASE WHEN counted THEN a.owner END
            FROM unnest(new_seqs, ids, queues, priorities, crash_limits, their_lines, owners)
                AS a (seq, id, queue, priority, crash_limit, line, owner)
            WHERE a.seq IS NOT NULL AND a.line IS NOT NULL
            RETURNING held.queue, held.gate
        )
        INSERT INTO windlass.arrival (queue, line) SELECT DISTINCT lined.queue, lined.gate FROM lined;
    END IF;
    WITH placed AS MATERIALIZED (
        SELECT a.*
        FROM unnest(new_seqs, ids, queues, priorities, crash_limits, starts, their_lines, CASE WHEN counted THEN owners END)
            AS a (seq, id, queue, priority, crash_limit, start, its_line, owner)
        WHERE a.seq IS NOT NULL
    ), queued AS (
        INSERT INTO windlass.ready
            (queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, updated_at, owner)
        SELECT queue, false, priority, seq, id, greatest(now, 0), 0, 0, crash_limit, now, owner
        FROM placed WHERE start IS NULL AND its_line IS NULL
    ), delayed AS (
        INSERT INTO windlass.scheduled
            (seq, queue, priority, suspect, due_at, id, token, retries, crashes, max_crashes, updated_at, owner)
        SELECT seq, queue, priority, false, start, id, greatest(now, 0), 0, 0, crash_limit, now, owner
        FROM placed WHERE start IS NOT NULL
    )
    SELECT count(windlass.touch(news.queue, news.start, news.low)) INTO room
    FROM (SELECT queue, start, min(seq) AS low FROM placed GROUP BY queue, start) AS news;
    IF channel IS NOT NULL THEN
        PERFORM windlass.announce(at, channel);
    END IF;
    RETURN QUERY
    SELECT
        CASE
            WHEN a.wait IS NOT NULL THEN -4
            WHEN a.seq IS NULL THEN CASE WHEN a.id = ANY (refused) THEN -1 ELSE 0 END
            WHEN a.start IS NULL THEN 1
            ELSE 2
        END::smallint, now, a.wait, NULL::uuid
    FROM unnest(new_seqs, ids, starts, waits) WITH ORDINALITY AS a (seq, id, start, wait, place)
    ORDER BY a.place;
END
$$;
