-- submit where some jobs are unique: one after the other, each under the lock of its key. `uniques` says of each, in JSON, its
-- key, the statuses in which it holds that, its period, and whether it replaces, extends and cancels running ones, and the job's
-- keys at gates; or nothing. Outcome, besides submit's: -2 another stands, -3 kept in place of another; `standing` is the other.
-- 126 is the set of all statuses. Each one that is submitted counts for its owner, whatever becomes of it.
CREATE OR REPLACE FUNCTION windlass.submit_unique(
    at bigint, queue_limit bigint,
    ids uuid[], names text[], queues text[], priorities smallint[], owners text[], delays bigint[], moments bigint[],
    crash_limits bigint[], specs bytea[], payloads bytea[], channel text, uniques text[],
    of_callers boolean DEFAULT true
) RETURNS TABLE (outcome smallint, accepted_at bigint, wait bigint, standing uuid)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    rule jsonb;
    its_key uuid;
    period_end bigint;
    held windlass.holder%ROWTYPE;
    its record;
    stands boolean;
    is_waiting boolean;
    line text;
    its_limit bigint;
    waits bigint[];
    most bigint := queue_limit;
    drops boolean := false;
    -- The owners that may have so many jobs waiting only.
    bounded text[] := '{}';
    -- Whether rules may hold for what callers submit.
    ruled boolean := of_callers AND EXISTS (SELECT 1 FROM windlass.rule);
BEGIN
    accepted_at := now;
    -- One that is replaced leaves its gates. First of all, so that no two wait for each other.
    IF EXISTS (SELECT 1 FROM unnest(uniques) AS u WHERE (u::jsonb ->> 'replaces')::boolean)
        OR EXISTS (
            SELECT 1 FROM windlass.rule
            WHERE rule.drops AND rule.gate = ANY (
                ARRAY(SELECT 'queue:' || q FROM unnest(queues) AS q)
                || ARRAY(SELECT g FROM unnest(owners) AS o, unnest(ARRAY['owner:' || o, 'owners']) AS g WHERE o IS NOT NULL)))
    THEN
        PERFORM windlass.gates_enter();
    END IF;
    -- Whatever is locked is locked in one order, gates, keys, owners, lines, so that no two wait for each other.
    FOR line IN SELECT DISTINCT u::jsonb ->> 'key' AS key FROM unnest(uniques) AS u WHERE u::jsonb ? 'key' ORDER BY key LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended('windlass.key ' || line, 0));
    END LOOP;
    IF ruled THEN
        waits := windlass.owners_wait(now, ids, owners);
        bounded := ARRAY(SELECT r.owner FROM windlass.owners_rooms(owners) AS r);
    END IF;
    -- Whoever settles a job that is asked to stop may wait for a queue that is locked next.
    PERFORM 1 FROM windlass.run
    WHERE EXISTS (SELECT 1 FROM unnest(uniques) AS u WHERE (u::jsonb ->> 'cancels_running')::boolean)
        AND run.id = ANY (ARRAY(
            SELECT h.id FROM unnest(uniques) AS u JOIN windlass.holder AS h ON h.key = (u::jsonb ->> 'key')::uuid))
    ORDER BY run.id
    FOR UPDATE;
    IF queue_limit IS NOT NULL OR ruled THEN
        FOR line IN SELECT DISTINCT q FROM unnest(queues) AS q ORDER BY q LOOP
            IF ruled THEN
                most := (SELECT b.most FROM windlass.backlog_of(line, queue_limit) AS b);
            END IF;
            IF most IS NOT NULL AND windlass.room(line, most) < 4096 THEN
                PERFORM pg_advisory_xact_lock(hashtextextended('windlass.queue ' || line, 0));
            END IF;
        END LOOP;
    END IF;
    <<jobs>>
    FOR i IN 1..cardinality(ids) LOOP
        standing := NULL;
        wait := waits[i];
        IF wait IS NOT NULL THEN
            outcome := -4;
            RETURN NEXT;
            CONTINUE jobs;
        END IF;
        IF ruled THEN
            SELECT b.most, b.drops INTO most, drops FROM windlass.backlog_of(queues[i], queue_limit) AS b;
        END IF;
        its_limit := most;
        rule := uniques[i]::jsonb;
        IF rule ? 'key' AND NOT EXISTS (SELECT 1 FROM windlass.job WHERE job.id = ids[i]) THEN
            its_key := (rule ->> 'key')::uuid;
            period_end := now + (rule ->> 'period')::bigint;
            LOOP
                INSERT INTO windlass.holder (key, id, states, until)
                VALUES (its_key, ids[i], (rule ->> 'states')::smallint, period_end)
                ON CONFLICT (key) DO NOTHING;
                EXIT WHEN FOUND;
                SELECT * INTO held FROM windlass.holder AS h WHERE h.key = its_key FOR UPDATE;
                CONTINUE WHEN NOT FOUND;
                -- The same submission, on a connection that was given up, may have been faster.
                EXIT WHEN EXISTS (SELECT 1 FROM windlass.job WHERE job.id = ids[i]);
                SELECT j.status, j.queue, j.priority, j.seq INTO its FROM windlass.jobs AS j WHERE j.id = held.id;
                stands := (held.until IS NULL OR now < held.until) AND CASE WHEN its.status IS NULL
                    THEN held.until IS NOT NULL AND held.states = 126
                    ELSE held.states >> its.status & 1 = 1
                END;
                is_waiting := its.status <= 2;
                IF stands AND (is_waiting AND (rule ->> 'replaces')::boolean
                    OR its.status = 3 AND (rule ->> 'cancels_running')::boolean)
                THEN
                    -- Whoever is replaced while it waits makes room, in a line that has too many as in any other.
                    -- In one that drops, whoever leaves it is the one that makes room.
                    IF owners[i] = ANY (bounded) THEN
                        SELECT r.refused INTO outcome
                        FROM windlass.make_room(now, owners[i], queues[i], queue_limit, is_waiting,
                            is_waiting AND its.queue = queues[i]) AS r;
                        IF outcome IS NOT NULL THEN
                            RETURN NEXT;
                            CONTINUE jobs;
                        END IF;
                    ELSIF most IS NOT NULL AND NOT (drops AND is_waiting AND its.queue = queues[i])
                        AND windlass.room(queues[i], most + (is_waiting AND its.queue = queues[i])::integer) <= 0
                    THEN
                        IF NOT drops OR windlass.backlog_drop(now, queues[i]) IS NULL THEN
                            outcome := -1;
                            RETURN NEXT;
                            CONTINUE jobs;
                        END IF;
                    END IF;
                    -- It may have begun to run since it was looked at, or ended.
                    CONTINUE WHEN NOT CASE WHEN is_waiting THEN windlass.withdraw(now, its.queue, its.priority, its.seq)
                        ELSE windlass.request_cancel(now, held.id)
                    END;
                    standing := held.id;
                    its_limit := NULL;
                ELSIF stands THEN
                    IF (rule ->> 'extends')::boolean THEN
                        UPDATE windlass.holder SET until = period_end WHERE holder.key = its_key;
                    END IF;
                    outcome := -2;
                    standing := held.id;
                    RETURN NEXT;
                    CONTINUE jobs;
                END IF;
                UPDATE windlass.holder SET id = ids[i], states = (rule ->> 'states')::smallint, until = period_end
                WHERE holder.key = its_key;
                EXIT;
            END LOOP;
        END IF;
        IF owners[i] = ANY (bounded) AND standing IS NULL
            AND NOT EXISTS (SELECT 1 FROM windlass.job WHERE job.id = ids[i])
        THEN
            SELECT r.refused, r.went INTO outcome, standing
            FROM windlass.make_room(now, owners[i], queues[i], queue_limit, false, false) AS r;
            IF outcome IS NOT NULL THEN
                DELETE FROM windlass.holder WHERE holder.id = ids[i];
                RETURN NEXT;
                CONTINUE jobs;
            END IF;
            its_limit := NULL;
        END IF;
        SELECT one.outcome INTO outcome
        FROM windlass.submit_few(at, its_limit, ids[i:i], names[i:i], queues[i:i], priorities[i:i], owners[i:i],
            delays[i:i], moments[i:i], crash_limits[i:i], specs[i:i], payloads[i:i], NULL, ARRAY[rule ->> 'keys'], false) AS one;
        IF outcome = -1 AND drops THEN
            standing := windlass.backlog_drop(now, queues[i]);
            IF standing IS NOT NULL THEN
                SELECT one.outcome INTO outcome
                FROM windlass.submit_few(at, NULL, ids[i:i], names[i:i], queues[i:i], priorities[i:i], owners[i:i],
                    delays[i:i], moments[i:i], crash_limits[i:i], specs[i:i], payloads[i:i], NULL, ARRAY[rule ->> 'keys'], false)
                    AS one;
            END IF;
        END IF;
        IF outcome = -1 THEN
            DELETE FROM windlass.holder WHERE holder.id = ids[i];
        ELSIF standing IS NOT NULL AND outcome > 0 THEN
            outcome := -3;
        END IF;
        RETURN NEXT;
    END LOOP;
    IF channel IS NOT NULL THEN
        PERFORM windlass.announce(at, channel);
    END IF;
END
$$;
