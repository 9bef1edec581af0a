-- Makes due jobs ready, the earliest first: at most `most` of the lines named, or of all; with `since` only those due later. Whoever announces wakes others.
CREATE OR REPLACE FUNCTION windlass.promote(at bigint, lines text[], most integer, since bigint) RETURNS integer
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    promoted integer;
    seqs bigint[];
BEGIN
    WITH due AS (
        DELETE FROM windlass.scheduled WHERE scheduled.ctid = ANY (ARRAY(
            SELECT s.ctid FROM windlass.scheduled AS s
            WHERE s.due_at <= now AND s.due_at > coalesce(since, -1) AND (lines IS NULL OR s.queue = ANY (lines))
            ORDER BY s.due_at LIMIT most
            FOR UPDATE SKIP LOCKED))
        RETURNING *
    ), queued AS (
        INSERT INTO windlass.ready
        SELECT queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, now, started_at, worker,
            progress, error, owner
        FROM due
    )
    SELECT coalesce(sum(of_line.jobs), 0), (SELECT array_agg(due.seq) FROM due) INTO promoted, seqs
    FROM (
        SELECT count(*) AS jobs, windlass.touch(due.queue, NULL, min(due.seq)) FROM due GROUP BY due.queue
    ) AS of_line (jobs, touched);
    IF seqs IS NOT NULL THEN
        PERFORM windlass.turns_line_up(seqs);
    END IF;
    RETURN promoted;
END
$$;
