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
