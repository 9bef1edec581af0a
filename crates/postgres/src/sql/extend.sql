-- Keeps leases that are good. Answer: 1 kept, 2 kept and to be stopped, 0 lost.
CREATE OR REPLACE FUNCTION windlass.extend(
    at bigint, ids uuid[], tokens bigint[], durations bigint[], reports bytea[]
) RETURNS TABLE (answer smallint)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    now bigint := windlass.clock(at);
BEGIN
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(ids, tokens, durations, reports) WITH ORDINALITY AS a (id, token, duration, report, place)
    ), last AS MATERIALIZED (
        SELECT DISTINCT ON (a.id, a.token) a.id, a.token, a.duration,
            (SELECT r.report FROM asked AS r
             WHERE r.id = a.id AND r.token = a.token AND r.report IS NOT NULL ORDER BY r.place DESC LIMIT 1) AS report
        FROM asked AS a
        ORDER BY a.id, a.token, a.place DESC
    ), kept AS (
        UPDATE windlass.run
        SET expires_at = now + last.duration,
            progress = coalesce(last.report, run.progress),
            updated_at = CASE WHEN last.report IS NULL THEN run.updated_at ELSE now END
        FROM last
        WHERE run.id = last.id AND run.token = last.token AND run.expires_at > now
        RETURNING run.id, run.token, run.cancel_requested
    )
    SELECT CASE WHEN kept.id IS NULL THEN 0 WHEN kept.cancel_requested THEN 2 ELSE 1 END::smallint
    FROM asked
    LEFT JOIN kept ON kept.id = asked.id AND kept.token = asked.token
    ORDER BY asked.place;
END
$$;
