-- Ends a turn: wakes others when it leaves a ready job, or one that is due before all others of its line. One
-- notification at most, because PostgreSQL commits those that notify one after the other. A turn without a claim leaves
-- whatever it brought.
CREATE OR REPLACE FUNCTION windlass.announce(at bigint, channel text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    touched text := nullif(current_setting('windlass_turn.touched', true), '');
    claimed boolean := nullif(current_setting('windlass_turn.took', true), '') IS NOT NULL;
    -- Whether the claim left jobs to processes that serve their handlers.
    left_here boolean := nullif(current_setting('windlass_turn.left', true), '') IS NOT NULL;
    -- Whether jobs may wait in lines.
    ruled boolean := current_setting('windlass_turn.mode', true) IS DISTINCT FROM 'free';
    recent bigint;
BEGIN
    -- A gate was opened: whoever sleeps may find somebody there.
    IF nullif(current_setting('windlass_turn.opened', true), '') IS NOT NULL THEN
        PERFORM pg_notify(channel, 'ready');
        PERFORM set_config('windlass_turn.opened', '', true);
        PERFORM set_config('windlass_turn.touched', '', true);
        RETURN;
    END IF;
    IF touched IS NULL THEN
        RETURN;
    END IF;
    recent := windlass.recent(at);
    IF EXISTS (
        SELECT 1
        FROM (
            SELECT split_part(entry, '=', 1) AS line, nullif(split_part(entry, '=', 2), '')::bigint AS due,
                coalesce(nullif(split_part(entry, '=', 3), ''), '0')::bigint AS low
            FROM unnest(string_to_array(rtrim(touched, ';'), ';')) AS entry
        ) AS news
        WHERE CASE WHEN news.due IS NULL
            THEN NOT claimed OR left_here OR windlass.has_ready(news.line, array_fill(news.low, ARRAY[10]))
                OR (ruled AND windlass.turns_any(news.line))
            -- As a value, not as EXISTS, which the planner may answer by reading the whole table.
            ELSE (
                SELECT 1 FROM windlass.scheduled
                WHERE scheduled.queue = news.line AND scheduled.due_at < news.due AND scheduled.due_at > recent
                LIMIT 1) IS NULL
        END
    ) THEN
        PERFORM pg_notify(channel, 'ready');
    END IF;
    -- A transaction of somebody's own may bring more, and has been told of this.
    PERFORM set_config('windlass_turn.touched', '', true);
END
$$;
