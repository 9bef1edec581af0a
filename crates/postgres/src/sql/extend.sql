-- Keeps leases that are good. Answer: 1 kept, 2 kept and to be stopped, 0 lost.
CREATE OR REPLACE FUNCTION windlass.extend(
    at bigint, ids uuid[], tokens bigint[], durations bigint[], reports bytea[]
) RETURNS TABLE (answer smallint)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
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
