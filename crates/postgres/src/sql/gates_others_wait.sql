-- Whether jobs of other handlers are among those that a claim for some would look at in these lines: the first ones that are ready, and
-- those that are due.
CREATE OR REPLACE FUNCTION windlass.gates_others_wait(now bigint, lines text[], wanted integer, handlers text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1
        FROM unnest(lines) AS line (queue)
        CROSS JOIN LATERAL (
            (SELECT r.seq FROM windlass.ready AS r WHERE r.queue = line.queue AND r.suspect LIMIT wanted)
            UNION ALL
            (SELECT found.seq
            FROM generate_series(0, 9) AS level, LATERAL (
                SELECT r.seq FROM windlass.ready AS r
                WHERE r.queue = line.queue AND NOT r.suspect AND r.priority = level
                ORDER BY r.seq LIMIT wanted) AS found
            LIMIT wanted)
            UNION ALL
            (SELECT s.seq FROM windlass.scheduled AS s WHERE s.queue = line.queue AND s.due_at <= now LIMIT 1000)
        ) AS near (seq)
        JOIN windlass.job ON job.seq = near.seq
        WHERE job.name <> ALL (handlers));
END
$$;
