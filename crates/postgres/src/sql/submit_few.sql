-- submit for a handful of jobs: one after the other, which spares the machinery of a batch.
CREATE OR REPLACE FUNCTION windlass.submit_few(
    at bigint, queue_limit bigint,
    ids uuid[], names text[], queues text[], priorities smallint[], owners text[], delays bigint[], moments bigint[],
    crash_limits bigint[], specs bytea[], payloads bytea[], channel text, keyses text[] DEFAULT NULL,
    of_callers boolean DEFAULT true
) RETURNS TABLE (outcome smallint, accepted_at bigint, wait bigint, standing uuid)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    start bigint;
    its_seq bigint;
    line text;
    any_rule boolean := current_setting('windlass_turn.mode', true) IS DISTINCT FROM 'free';
    shared boolean;
    waits bigint[];
    most bigint := queue_limit;
    drops boolean := false;
    -- Of each line that has a limit, how many more may wait, and whether one makes room for another.
    lines text[] := '{}';
    rooms bigint[] := '{}';
    dropping boolean[] := '{}';
    its bigint;
    -- The owners that may have so many jobs waiting only, and how many more of each.
    bounded text[] := '{}';
    owner_rooms bigint[] := '{}';
    ours bigint;
    -- Whose the job is, where owners' jobs are counted. Asked after it was kept: an edit that begins to count keeps that waiting.
    its_owner text;
    -- Whether rules may hold for what callers submit.
    ruled boolean;
    -- Whether anything may keep one out.
    bounds boolean;
    -- A turn that does nothing else leaves every ready job that it brought: nobody has to look for one.
    brought boolean := false;
BEGIN
    accepted_at := now;
    any_rule := any_rule AND EXISTS (SELECT 1 FROM windlass.rule);
    shared := any_rule AND windlass.turns_enter();
    ruled := any_rule AND of_callers;
    bounds := ruled OR queue_limit IS NOT NULL;
    IF ruled THEN
        -- Whoever makes room leaves its gates. First of all, so that no two wait for each other.
        IF EXISTS (
            SELECT 1 FROM windlass.rule
            WHERE rule.drops AND rule.gate = ANY (
                ARRAY(SELECT 'queue:' || q FROM unnest(queues) AS q)
                || ARRAY(SELECT g FROM unnest(owners) AS o, unnest(ARRAY['owner:' || o, 'owners']) AS g WHERE o IS NOT NULL))
        ) THEN
            PERFORM windlass.gates_enter();
        END IF;
        waits := windlass.owners_wait(now, ids, owners);
        SELECT coalesce(array_agg(r.owner), '{}'), coalesce(array_agg(r.room), '{}') INTO bounded, owner_rooms
        FROM windlass.owners_rooms(owners) AS r;
    END IF;
    IF bounds THEN
        FOR line IN SELECT DISTINCT q FROM unnest(queues) AS q ORDER BY q LOOP
            IF ruled THEN
                SELECT b.most, b.drops INTO most, drops FROM windlass.backlog_of(line, queue_limit) AS b;
            END IF;
            CONTINUE WHEN most IS NULL;
            its := windlass.room(line, most);
            IF its < 4096 THEN
                PERFORM pg_advisory_xact_lock(hashtextextended('windlass.queue ' || line, 0));
                its := windlass.room(line, most);
            END IF;
            lines := lines || line;
            rooms := rooms || its;
            dropping := dropping || drops;
        END LOOP;
    END IF;
    FOR i IN 1..cardinality(ids) LOOP
        standing := NULL;
        IF bounds THEN
            wait := waits[i];
            IF wait IS NOT NULL THEN
                outcome := -4;
                RETURN NEXT;
                CONTINUE;
            END IF;
            its := array_position(lines, queues[i]);
            ours := array_position(bounded, owners[i]);
            IF owner_rooms[ours] <= 0 OR rooms[its] <= 0 AND bounded <> '{}' THEN
                PERFORM 1 FROM windlass.job WHERE job.id = ids[i];
                IF FOUND THEN
                    outcome := 0;
                ELSE
                    SELECT r.refused, r.went INTO outcome, standing
                    FROM windlass.make_room(now, owners[i], queues[i], queue_limit, false, false) AS r;
                END IF;
                IF outcome IS NOT NULL THEN
                    RETURN NEXT;
                    CONTINUE;
                END IF;
                -- Whoever went may have waited in any of the lines, and have been of any of the owners.
                rooms := ARRAY(
                    SELECT windlass.room(l.line, (SELECT b.most FROM windlass.backlog_of(l.line, queue_limit) AS b))
                    FROM unnest(lines) WITH ORDINALITY AS l (line, nth) ORDER BY l.nth);
                owner_rooms := ARRAY(
                    SELECT windlass.owner_room(o.owner, (SELECT b.most FROM windlass.owner_backlog(o.owner) AS b))
                    FROM unnest(bounded) WITH ORDINALITY AS o (owner, nth) ORDER BY o.nth);
            ELSIF rooms[its] <= 0 THEN
                PERFORM 1 FROM windlass.job WHERE job.id = ids[i];
                IF FOUND THEN
                    outcome := 0;
                ELSE
                    standing := CASE WHEN dropping[its] THEN windlass.backlog_drop(now, queues[i]) END;
                    outcome := -1;
                END IF;
                IF standing IS NULL THEN
                    RETURN NEXT;
                    CONTINUE;
                END IF;
            END IF;
        END IF;
        INSERT INTO windlass.job (id, name, queue, priority, owner, created_at, max_crashes, spec, payload, keys)
        VALUES (ids[i], names[i], queues[i], priorities[i], owners[i], now, crash_limits[i], specs[i], payloads[i], keyses[i])
        ON CONFLICT (id) DO NOTHING
        RETURNING job.seq
        INTO its_seq;
        IF NOT FOUND THEN
            outcome := 0;
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF bounds AND its IS NOT NULL AND (standing IS NULL OR bounded <> '{}') THEN
            rooms[its] := rooms[its] - 1;
        END IF;
        IF bounds AND ours IS NOT NULL THEN
            owner_rooms[ours] := owner_rooms[ours] - 1;
        END IF;
        its_owner := NULL;
        IF owners[i] IS NOT NULL AND windlass.owners_counted() THEN
            its_owner := owners[i];
        END IF;
        start := coalesce(now + delays[i], moments[i]);
        IF start > now THEN
            INSERT INTO windlass.scheduled
                (seq, queue, priority, suspect, due_at, id, token, retries, crashes, max_crashes, updated_at, owner)
            VALUES (its_seq, queues[i], priorities[i], false, start, ids[i], greatest(now, 0), 0, 0, crash_limits[i],
                now, its_owner);
            PERFORM windlass.touch(queues[i], start, its_seq);
            outcome := CASE WHEN standing IS NULL THEN 2 ELSE -3 END;
            RETURN NEXT;
            CONTINUE;
        END IF;
        line := NULL;
        IF shared THEN
            line := windlass.turns_line_of(queues[i], keyses[i]);
        END IF;
        IF line IS NOT NULL THEN
            INSERT INTO windlass.held
                (gate, queue, behind, priority, seq, suspect, id, token, retries, crashes, max_crashes, updated_at, owner)
            VALUES (line, queues[i], true, priorities[i], its_seq, false, ids[i], greatest(now, 0), 0, 0, crash_limits[i], now,
                its_owner);
            INSERT INTO windlass.arrival (queue, line) VALUES (queues[i], line);
        ELSE
            INSERT INTO windlass.ready
                (queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, updated_at, owner)
            VALUES (queues[i], false, priorities[i], its_seq, ids[i], greatest(now, 0), 0, 0, crash_limits[i], now, its_owner);
        END IF;
        IF channel IS NULL THEN
            PERFORM windlass.touch(queues[i], NULL, its_seq);
        ELSE
            brought := true;
        END IF;
        outcome := CASE WHEN standing IS NULL THEN 1 ELSE -3 END;
        RETURN NEXT;
    END LOOP;
    IF brought THEN
        PERFORM pg_notify(channel, 'ready');
    ELSIF channel IS NOT NULL THEN
        PERFORM windlass.announce(at, channel);
    END IF;
END
$$;
