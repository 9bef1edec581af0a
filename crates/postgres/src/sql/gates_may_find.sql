-- Whether a claim could find something in these lines where rules are set: a gate to look at, a job in line, one that is due.
CREATE OR REPLACE FUNCTION windlass.gates_may_find(now bigint, lines text[], handlers text[] DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1 FROM unnest(lines) AS line (queue)
        WHERE EXISTS (SELECT 1 FROM windlass.opening AS o WHERE o.queue = line.queue AND o.at <= now
                AND (handlers IS NULL OR windlass.gates_looks_at(handlers, o.gate)))
            OR windlass.turns_any(line.queue)
            OR (SELECT 1 FROM windlass.ready AS r WHERE r.queue = line.queue LIMIT 1) IS NOT NULL
            OR (SELECT 1 FROM windlass.scheduled AS s WHERE s.queue = line.queue AND s.due_at <= now LIMIT 1) IS NOT NULL);
END
$$;
