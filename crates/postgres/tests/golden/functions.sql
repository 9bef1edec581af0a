-- Release 1.
-- The store's now: the server's clock, unless a test brings its own.
CREATE OR REPLACE FUNCTION windlass.clock(at bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(at, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
$$;
-- Notes, until the transaction ends, that a line got a ready job or one due at `due`: see announce.
CREATE OR REPLACE FUNCTION windlass.touch(line text, due bigint) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT set_config('windlass_turn.touched',
        coalesce(current_setting('windlass_turn.touched', true), '') || line || '=' || coalesce(due::text, '') || ';', true)
$$;
-- Ends a turn: wakes others when it leaves a ready job, or one that is due before all others of its line. One
-- notification at most, because PostgreSQL commits those that notify one after the other.
CREATE OR REPLACE FUNCTION windlass.announce(channel text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    touched text := nullif(current_setting('windlass_turn.touched', true), '');
BEGIN
    IF touched IS NULL THEN
        RETURN;
    END IF;
    IF EXISTS (
        SELECT 1
        FROM (
            SELECT split_part(entry, '=', 1) AS line, nullif(split_part(entry, '=', 2), '')::bigint AS due
            FROM unnest(string_to_array(rtrim(touched, ';'), ';')) AS entry
        ) AS news
        WHERE CASE WHEN news.due IS NULL
            THEN EXISTS (SELECT 1 FROM windlass.ready WHERE ready.queue = news.line)
            ELSE news.due = (SELECT min(scheduled.due_at) FROM windlass.scheduled WHERE scheduled.queue = news.line)
        END
    ) THEN
        PERFORM pg_notify(channel, 'ready');
    END IF;
END
$$;
-- How many jobs a line can take until it holds `most`. Looks at no more than that many.
CREATE OR REPLACE FUNCTION windlass.room(line text, most bigint) RETURNS bigint
LANGUAGE sql STABLE
SET enable_seqscan = off SET jit = off AS $$
    SELECT most
        - (SELECT count(*) FROM (SELECT 1 FROM windlass.ready WHERE ready.queue = line LIMIT most) AS ready)
        - (SELECT count(*) FROM (SELECT 1 FROM windlass.scheduled WHERE scheduled.queue = line LIMIT most) AS scheduled)
$$;
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
        SELECT windlass.touch(queue, nullif(due, 0))
        FROM (
            SELECT queue, CASE WHEN start > now THEN start ELSE 0 END AS due FROM placed
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
        PERFORM windlass.announce(channel);
    END IF;
    RETURN QUERY SELECT o, now FROM unnest(outcomes) AS o;
END
$$;
-- submit for a handful of jobs: one after the other, which spares the machinery of a batch.
CREATE OR REPLACE FUNCTION windlass.submit_few(
    at bigint, queue_limit bigint,
    ids uuid[], names text[], queues text[], priorities smallint[], owners text[], delays bigint[], moments bigint[],
    crash_limits bigint[], specs bytea[], payloads bytea[], channel text
) RETURNS TABLE (outcome smallint, accepted_at bigint)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    start bigint;
    its_seq bigint;
    line text;
BEGIN
    accepted_at := now;
    IF queue_limit IS NOT NULL THEN
        FOR line IN SELECT DISTINCT q FROM unnest(queues) AS q ORDER BY q LOOP
            IF windlass.room(line, queue_limit) < 4096 THEN
                PERFORM pg_advisory_xact_lock(hashtextextended('windlass.queue ' || line, 0));
            END IF;
        END LOOP;
    END IF;
    FOR i IN 1..cardinality(ids) LOOP
        IF queue_limit IS NOT NULL AND windlass.room(queues[i], queue_limit) <= 0 THEN
            PERFORM 1 FROM windlass.job WHERE job.id = ids[i];
            outcome := CASE WHEN FOUND THEN 0 ELSE -1 END;
            RETURN NEXT;
            CONTINUE;
        END IF;
        INSERT INTO windlass.job (id, name, queue, priority, owner, created_at, max_crashes, spec, payload)
        VALUES (ids[i], names[i], queues[i], priorities[i], owners[i], now, crash_limits[i], specs[i], payloads[i])
        ON CONFLICT (id) DO NOTHING
        RETURNING job.seq INTO its_seq;
        IF NOT FOUND THEN
            outcome := 0;
            RETURN NEXT;
            CONTINUE;
        END IF;
        start := coalesce(now + delays[i], moments[i]);
        IF start > now THEN
            INSERT INTO windlass.scheduled
                (seq, queue, priority, suspect, due_at, id, token, retries, crashes, max_crashes, updated_at)
            VALUES (its_seq, queues[i], priorities[i], false, start, ids[i], greatest(now, 0), 0, 0, crash_limits[i],
                now);
            PERFORM windlass.touch(queues[i], start);
            outcome := 2;
        ELSE
            INSERT INTO windlass.ready
                (queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, updated_at)
            VALUES (queues[i], false, priorities[i], its_seq, ids[i], greatest(now, 0), 0, 0, crash_limits[i], now);
            PERFORM windlass.touch(queues[i], NULL);
            outcome := 1;
        END IF;
        RETURN NEXT;
    END LOOP;
    IF channel IS NOT NULL THEN
        PERFORM windlass.announce(channel);
    END IF;
END
$$;
-- Where a job stands whose latest lease, no longer running, has this token; NULL when it has another one.
CREATE OR REPLACE FUNCTION windlass.standing(asked uuid, held bigint) RETURNS smallint
LANGUAGE sql STABLE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
    SELECT jobs.status FROM windlass.jobs WHERE jobs.id = asked AND jobs.token = held AND jobs.status <> 3
$$;
-- Ends attempts whose leases are good. Each settlement brings what it means for a job and, in `stop_*`, for one whose
-- cancellation was requested. Fate: 1 settled, 2 settled before by the same lease, 0 lease lost.
CREATE OR REPLACE FUNCTION windlass.settle(
    at bigint, history_max integer,
    ids uuid[], tokens bigint[], statuses smallint[], stop_statuses smallint[], outcomes smallint[],
    stop_outcomes smallint[], retried boolean[], delays bigint[], clears boolean[], errors bytea[], result_types text[],
    results bytea[],
    parents integer[], e_ids uuid[], e_names text[], e_queues text[], e_priorities smallint[], e_owners text[],
    e_delays bigint[], e_moments bigint[], e_crash_limits bigint[], e_specs bytea[], e_payloads bytea[]
) RETURNS TABLE (fate smallint, status smallint)
LANGUAGE plpgsql VOLATILE
SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    places bigint[];
    stands smallint[];
    remembered bigint[];
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
        SELECT windlass.touch(queue, due_at)
        FROM (
            SELECT queue, CASE WHEN ended.status = 2 THEN due_at END AS due_at FROM ended WHERE ended.status <= 2
        ) AS news
        GROUP BY queue, due_at
    )
    SELECT
        array_agg(ended.place), array_agg(ended.status),
        (SELECT array_agg(noted.seq) FROM noted)
    INTO places, stands, remembered
    FROM ended
    WHERE (SELECT count(*) FROM told) >= 0;

    IF remembered IS NOT NULL THEN
        DELETE FROM windlass.attempt
        WHERE attempt.seq = ANY (remembered) AND attempt.ordinal <= (
            SELECT a.ordinal FROM windlass.attempt AS a
            WHERE a.seq = attempt.seq ORDER BY a.ordinal DESC OFFSET history_max LIMIT 1);
    END IF;

    IF cardinality(parents) > 0 THEN
        PERFORM windlass.submit(at, NULL, array_agg(e.id ORDER BY e.place), array_agg(e.name ORDER BY e.place),
            array_agg(e.queue ORDER BY e.place), array_agg(e.priority ORDER BY e.place),
            array_agg(e.owner ORDER BY e.place), array_agg(e.delay ORDER BY e.place),
            array_agg(e.moment ORDER BY e.place), array_agg(e.crash_limit ORDER BY e.place),
            array_agg(e.spec ORDER BY e.place), array_agg(e.payload ORDER BY e.place), NULL)
        FROM unnest(parents, e_ids, e_names, e_queues, e_priorities, e_owners, e_delays, e_moments, e_crash_limits,
            e_specs, e_payloads) WITH ORDINALITY
            AS e (parent, id, name, queue, priority, owner, delay, moment, crash_limit, spec, payload, place)
        WHERE e.parent = ANY (places)
        HAVING count(*) > 0;
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
-- Keeps leases that are good. Answer: 1 kept, 2 kept and to be stopped, 0 lost.
CREATE OR REPLACE FUNCTION windlass.extend(
    at bigint, ids uuid[], tokens bigint[], durations bigint[], reports bytea[]
) RETURNS TABLE (answer smallint)
LANGUAGE plpgsql VOLATILE
SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
BEGIN
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(ids, tokens, durations, reports) WITH ORDINALITY AS a (id, token, duration, report, place)
    ), last AS MATERIALIZED (
        SELECT a.id, a.token, (array_agg(a.duration ORDER BY a.place DESC))[1] AS duration,
            (array_agg(a.report ORDER BY a.place DESC) FILTER (WHERE a.report IS NOT NULL))[1] AS report
        FROM asked AS a
        GROUP BY a.id, a.token
    ), kept AS (
        UPDATE windlass.run
        SET expires_at = now + last.duration,
            progress = coalesce(last.report, run.progress),
            updated_at = CASE WHEN last.report IS NULL THEN run.updated_at ELSE now END
        FROM last
        WHERE run.id = ANY (ids) AND run.id = last.id AND run.token = last.token AND run.expires_at > now
        RETURNING run.id, run.token, run.cancel_requested
    )
    SELECT CASE WHEN kept.id IS NULL THEN 0 WHEN kept.cancel_requested THEN 2 ELSE 1 END::smallint
    FROM asked
    LEFT JOIN kept ON kept.id = asked.id AND kept.token = asked.token
    ORDER BY asked.place;
END
$$;
-- Makes due jobs ready, the earliest first: at most `most` of the lines named, or of all. Whoever announces wakes others.
CREATE OR REPLACE FUNCTION windlass.promote(at bigint, lines text[], most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    promoted integer;
    touched text[];
BEGIN
    WITH due AS (
        DELETE FROM windlass.scheduled WHERE scheduled.ctid = ANY (ARRAY(
            SELECT s.ctid FROM windlass.scheduled AS s
            WHERE s.due_at <= now AND (lines IS NULL OR s.queue = ANY (lines))
            ORDER BY s.due_at LIMIT most
            FOR UPDATE SKIP LOCKED))
        RETURNING *
    ), queued AS (
        INSERT INTO windlass.ready
        SELECT queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, now, started_at, worker,
            progress, error
        FROM due
    )
    SELECT count(*), array_agg(DISTINCT due.queue) INTO promoted, touched FROM due;
    PERFORM windlass.touch(line, NULL) FROM unnest(touched) AS line;
    RETURN promoted;
END
$$;
-- Gives ready jobs to a worker: suspects first, then by line in the order given, priority and order of acceptance.
CREATE OR REPLACE FUNCTION windlass.claim(
    at bigint, lines text[], wanted integer, suspects integer, lease bigint, claimant uuid
) RETURNS TABLE (
    id uuid, token bigint, name text, queue text, priority smallint, owner text, created_at bigint, spec bytea,
    payload bytea, retries integer, crashes integer, started_at bigint
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint;
    taken integer := 0;
    found_now integer;
    kind boolean;
    line text;
    room integer;
BEGIN
    PERFORM windlass.promote(at, lines, 1000);
    -- After that, or a job that became due meanwhile would begin before its time.
    now := windlass.clock(at);
    FOREACH kind IN ARRAY ARRAY[true, false] LOOP
        FOREACH line IN ARRAY lines LOOP
            room := CASE WHEN kind THEN least(suspects, wanted) ELSE wanted END - taken;
            EXIT WHEN room <= 0;
            RETURN QUERY
            WITH next AS (
                DELETE FROM windlass.ready WHERE ready.ctid = ANY (ARRAY(
                    SELECT r.ctid FROM windlass.ready AS r
                    WHERE r.queue = line AND r.suspect = kind
                    ORDER BY r.priority, r.seq LIMIT room
                    FOR UPDATE SKIP LOCKED))
                RETURNING *
            ), started AS (
                INSERT INTO windlass.run (id, seq, queue, priority, suspect, token, expires_at, retries, crashes,
                    max_crashes, updated_at, started_at, worker, error)
                SELECT next.id, next.seq, next.queue, next.priority, next.suspect, next.token + 1, now + lease,
                    next.retries, next.crashes, next.max_crashes, now, now, claimant, next.error
                FROM next
                RETURNING run.seq, run.token, run.retries, run.crashes
            )
            SELECT job.id, started.token, job.name, job.queue, job.priority, job.owner, job.created_at, job.spec,
                job.payload, started.retries, started.crashes, now
            FROM started JOIN windlass.job ON job.seq = started.seq
            ORDER BY job.priority, job.seq;
            GET DIAGNOSTICS found_now = ROW_COUNT;
            taken := taken + found_now;
        END LOOP;
    END LOOP;
END
$$;
-- What a claim left: whether its lines have ready jobs, and how long until the next one is due.
CREATE OR REPLACE FUNCTION windlass.outlook(at bigint, lines text[]) RETURNS TABLE (more boolean, next_due bigint)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY SELECT
        EXISTS (SELECT 1 FROM unnest(lines) AS line, LATERAL (
            SELECT 1 FROM windlass.ready WHERE ready.queue = line LIMIT 1) AS one),
        (SELECT CASE WHEN count(*) > 0 THEN greatest(min(first.due_at) - windlass.clock(at), 0) END FROM unnest(lines) AS line, LATERAL (
            SELECT scheduled.due_at FROM windlass.scheduled
            WHERE scheduled.queue = line ORDER BY scheduled.due_at LIMIT 1) AS first);
END
$$;
-- Leases that ran out, the oldest first. Nothing is locked: a process that stops here must not keep others from its jobs.
CREATE OR REPLACE FUNCTION windlass.lost(at bigint, most integer) RETURNS TABLE (
    id uuid, token bigint, crashes integer, max_crashes bigint
)
LANGUAGE sql STABLE
SET enable_seqscan = off SET jit = off AS $$
    SELECT run.id, run.token, run.crashes, run.max_crashes
    FROM windlass.run
    WHERE run.expires_at <= windlass.clock(at)
    ORDER BY run.expires_at, run.seq
    LIMIT most
$$;
-- Takes jobs back from workers whose leases ran out, as the caller decided for each of them and, in `stop_status`, for
-- those whose cancellation was requested; the new token shuts the workers out. Answers where the jobs went.
CREATE OR REPLACE FUNCTION windlass.reclaim(
    at bigint, history_max integer, ids uuid[], tokens bigint[], statuses smallint[], suspects boolean[],
    errors bytea[], stop_status smallint, crashed bytea
) RETURNS TABLE (went_to smallint)
LANGUAGE plpgsql VOLATILE
SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    remembered bigint[];
    went smallint[];
BEGIN
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
        SELECT windlass.touch(queue, NULL) FROM (SELECT DISTINCT queue FROM lost WHERE lost.status = 1) AS lines
    )
    SELECT array_agg(lost.seq), array_agg(lost.status) INTO remembered, went FROM lost WHERE (SELECT count(*) FROM told) >= 0;
    IF remembered IS NOT NULL THEN
        DELETE FROM windlass.attempt
        WHERE attempt.seq = ANY (remembered) AND attempt.ordinal <= (
            SELECT a.ordinal FROM windlass.attempt AS a
            WHERE a.seq = attempt.seq ORDER BY a.ordinal DESC OFFSET history_max LIMIT 1);
    END IF;
    RETURN QUERY SELECT unnest(went);
END
$$;
-- Removes finished jobs of a status that finished at `over` or before, the oldest first.
CREATE OR REPLACE FUNCTION windlass.prune(which smallint, over bigint, most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    removed bigint[];
BEGIN
    WITH old AS (
        DELETE FROM windlass.done WHERE done.ctid = ANY (ARRAY(
            SELECT d.ctid FROM windlass.done AS d WHERE d.status = which AND d.finished_at <= over
            ORDER BY d.finished_at LIMIT most
            FOR UPDATE SKIP LOCKED))
        RETURNING done.seq
    )
    SELECT array_agg(old.seq) INTO removed FROM old;
    IF removed IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM windlass.attempt WHERE attempt.seq = ANY (removed);
    DELETE FROM windlass.job WHERE job.seq = ANY (removed);
    RETURN cardinality(removed);
END
$$;
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
    FOR attempt IN 1..100 LOOP
        WITH gone AS (
            DELETE FROM windlass.ready
            WHERE ready.queue = its.queue AND ready.suspect IN (false, true) AND ready.priority = its.priority
                AND ready.seq = its.seq
            RETURNING *
        )
        INSERT INTO windlass.done
        SELECT seq, 6, now, token, retries, crashes, false, now, started_at, worker, progress, error FROM gone;
        IF FOUND THEN
            RETURN 1;
        END IF;
        WITH gone AS (
            DELETE FROM windlass.scheduled WHERE scheduled.seq = its.seq RETURNING *
        )
        INSERT INTO windlass.done
        SELECT seq, 6, now, token, retries, crashes, false, now, started_at, worker, progress, error FROM gone;
        IF FOUND THEN
            RETURN 1;
        END IF;
        UPDATE windlass.run
        SET cancel_requested = true, updated_at = CASE WHEN run.cancel_requested THEN run.updated_at ELSE now END
        WHERE run.id = wanted;
        IF FOUND THEN
            PERFORM pg_notify(channel, wanted::text);
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
    PERFORM pg_notify(channel, 'ready');
    RETURN true;
END
$$;
-- How many jobs of each line have each status.
CREATE OR REPLACE FUNCTION windlass.counts() RETURNS TABLE (line text, status smallint, jobs bigint)
LANGUAGE sql STABLE AS $$
    SELECT ready.queue, 1::smallint, count(*) FROM windlass.ready GROUP BY ready.queue
    UNION ALL
    SELECT scheduled.queue, 2::smallint, count(*) FROM windlass.scheduled GROUP BY scheduled.queue
    UNION ALL
    SELECT run.queue, 3::smallint, count(*) FROM windlass.run GROUP BY run.queue
    UNION ALL
    SELECT job.queue, done.status, count(*)
    FROM windlass.done JOIN windlass.job ON job.seq = done.seq GROUP BY job.queue, done.status
$$;
