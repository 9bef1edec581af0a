-- Writes a schedule's next state and submits jobs with it, if its revision is the expected one; where none is expected, if
-- there is no schedule of this name. Answers the new revision, or nothing when somebody was faster. `channel` is where others
-- are woken, if they are.
CREATE OR REPLACE FUNCTION windlass.schedule_write(
    at bigint, its_name text, expected bigint, due bigint, its_record bytea, channel text,
    ids uuid[], names text[], queues text[], priorities smallint[], owners text[], delays bigint[], moments bigint[],
    crash_limits bigint[], specs bytea[], payloads bytea[], uniques text[]
) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    written bigint;
BEGIN
    IF expected IS NULL THEN
        INSERT INTO windlass.schedule (name, revision, due_at, record)
        VALUES (its_name, greatest(now, 1), due, its_record)
        ON CONFLICT (name) DO NOTHING
        RETURNING schedule.revision INTO written;
    ELSE
        UPDATE windlass.schedule
        SET revision = greatest(now, expected + 1), due_at = due, record = its_record
        WHERE schedule.name = its_name AND schedule.revision = expected
        RETURNING schedule.revision INTO written;
    END IF;
    IF written IS NULL THEN
        RETURN NULL;
    END IF;
    IF cardinality(ids) > 0 THEN
        PERFORM windlass.submit_unique(at, NULL, ids, names, queues, priorities, owners, delays, moments, crash_limits,
            specs, payloads, channel, uniques, false);
    END IF;
    IF channel IS NOT NULL THEN
        PERFORM pg_notify(channel, 'schedules');
    END IF;
    RETURN written;
END
$$;
