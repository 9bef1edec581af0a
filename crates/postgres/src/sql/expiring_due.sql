-- Jobs to look at now, those first that should have been looked at first: where each stands, 1 if it waits, or NULL where there
-- is none.
CREATE OR REPLACE FUNCTION windlass.expiring_due(at bigint, most integer) RETURNS TABLE (
    look_at bigint, id uuid, status smallint, created_at bigint, spec bytea, seen_at bigint
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
BEGIN
    RETURN QUERY
    SELECT
        noted.look_at, noted.id,
        CASE WHEN job.seq IS NOT NULL THEN coalesce(
            (SELECT 3::smallint FROM windlass.run WHERE run.id = job.id),
            (SELECT done.status FROM windlass.done WHERE done.seq = job.seq),
            1::smallint)
        END,
        job.created_at, job.spec, now
    FROM (
        SELECT e.look_at, e.id FROM windlass.expiring AS e WHERE e.look_at <= now ORDER BY e.look_at, e.id LIMIT most
    ) AS noted
    LEFT JOIN windlass.job ON job.id = noted.id
    ORDER BY noted.look_at, noted.id;
END
$$;
