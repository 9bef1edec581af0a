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
