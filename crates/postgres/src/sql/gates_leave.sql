-- Attempts have ended, or jobs that waited have: their slots are free, but for those that jobs keep until they have finished.
-- `queues` are those of attempts.
CREATE OR REPLACE FUNCTION windlass.gates_leave(now bigint, ids uuid[], finished boolean[], queues text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    freed text[];
    order_is_kept boolean := EXISTS (SELECT 1 FROM windlass.rule WHERE rule.in_order);
BEGIN
    IF queues IS NOT NULL THEN
        PERFORM windlass.gates_fewer(now, array_agg(q.line), array_agg(q.number))
        FROM (SELECT u.line, count(*) AS number FROM unnest(queues) AS u (line) GROUP BY u.line) AS q;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM windlass.slot) THEN
        RETURN;
    END IF;
    WITH free AS (
        DELETE FROM windlass.slot USING unnest(ids, finished) AS who (id, done)
        WHERE slot.id = who.id AND slot.id = ANY (ids) AND (who.done OR NOT order_is_kept OR NOT coalesce((
            SELECT CASE WHEN own.running IS NOT NULL THEN own.in_order ELSE kind.in_order END
            FROM (SELECT 1) AS one
            LEFT JOIN windlass.rule AS own ON own.gate = slot.gate
            LEFT JOIN windlass.rule AS kind
                ON kind.gate = CASE WHEN slot.gate LIKE 'key:%' THEN 'keys:' || split_part(slot.gate, ':', 2) END
        ), false))
        RETURNING slot.gate
    )
    SELECT array_agg(DISTINCT free.gate) INTO freed FROM free;
    IF freed IS NOT NULL THEN
        PERFORM windlass.gates_open(now, freed);
    END IF;
END
$$;
