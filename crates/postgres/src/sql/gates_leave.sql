-- Attempts have ended, or jobs that waited have: their slots are free, but for those that jobs keep until they have finished.
-- `queues` are those of attempts.
CREATE OR REPLACE FUNCTION windlass.gates_leave(now bigint, ids uuid[], finished boolean[], queues text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    freed text[];
    full_before text[];
    order_is_kept boolean := EXISTS (SELECT 1 FROM windlass.rule WHERE rule.in_order);
BEGIN
    IF queues IS NOT NULL THEN
        WITH ended AS MATERIALIZED (
            SELECT gates.gate, sum(of_queue.number) AS number
            FROM (SELECT 'queue:' || q AS gate, count(*) AS number FROM unnest(queues) AS q GROUP BY q) AS of_queue
            CROSS JOIN LATERAL (VALUES ('*'), (of_queue.gate)) AS gates (gate)
            GROUP BY gates.gate
        ), fewer AS (
            UPDATE windlass.tally SET taken = greatest(tally.taken - ended.number, 0)
            FROM ended WHERE tally.gate = ended.gate AND tally.gate = ANY (ARRAY(SELECT e.gate FROM ended AS e))
            RETURNING tally.gate, tally.taken + ended.number AS before
        )
        -- Only where nobody could start may somebody wait for this.
        SELECT array_agg(fewer.gate) INTO full_before
        FROM fewer JOIN windlass.rule ON rule.gate = fewer.gate
        WHERE rule.running <= fewer.before;
        IF full_before IS NOT NULL THEN
            PERFORM windlass.gates_open(now, full_before);
        END IF;
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
