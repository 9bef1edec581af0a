-- submit for a handful of jobs: one after the other, which spares the machinery of a batch.
CREATE OR REPLACE FUNCTION windlass.submit_few(
    at bigint, queue_limit bigint,
    ids uuid[], names text[], queues text[], priorities smallint[], owners text[], delays bigint[], moments bigint[],
    crash_limits bigint[], specs bytea[], payloads bytea[], channel text, keyses text[] DEFAULT NULL
) RETURNS TABLE (outcome smallint, accepted_at bigint)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    start bigint;
    its_seq bigint;
    line text;
    shared boolean := windlass.turns_enter();
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
        INSERT INTO windlass.job (id, name, queue, priority, owner, created_at, max_crashes, spec, payload, keys)
        VALUES (ids[i], names[i], queues[i], priorities[i], owners[i], now, crash_limits[i], specs[i], payloads[i], keyses[i])
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
            PERFORM windlass.touch(queues[i], start, its_seq);
            outcome := 2;
            RETURN NEXT;
            CONTINUE;
        END IF;
        line := CASE WHEN shared THEN windlass.turns_line_of(queues[i], keyses[i]) END;
        IF line IS NOT NULL THEN
            INSERT INTO windlass.held
                (gate, queue, behind, priority, seq, suspect, id, token, retries, crashes, max_crashes, updated_at)
            VALUES (line, queues[i], true, priorities[i], its_seq, false, ids[i], greatest(now, 0), 0, 0, crash_limits[i], now);
            INSERT INTO windlass.arrival (queue, line) VALUES (queues[i], line);
        ELSE
            INSERT INTO windlass.ready
                (queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, updated_at)
            VALUES (queues[i], false, priorities[i], its_seq, ids[i], greatest(now, 0), 0, 0, crash_limits[i], now);
        END IF;
        PERFORM windlass.touch(queues[i], NULL, its_seq);
        outcome := 1;
        RETURN NEXT;
    END LOOP;
    IF channel IS NOT NULL THEN
        PERFORM windlass.announce(at, channel);
    END IF;
END
$$;
