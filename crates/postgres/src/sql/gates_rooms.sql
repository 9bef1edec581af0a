-- What holds at gates, those of them at which anything does: how many more may pass, those that have their slots apart, and
-- those that have not, and when a bucket has something again. NULL stands for any number.
CREATE OR REPLACE FUNCTION windlass.gates_rooms(now bigint, gates text[]) RETURNS TABLE (
    gate text, paused boolean, free bigint, tokens bigint, in_order boolean, taken bigint, running bigint, apart bigint,
    opens bigint, patience bigint
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_nestloop = on SET enable_mergejoin = off SET enable_seqscan = on SET jit = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT
        terms.gate, terms.paused, CASE WHEN terms.running IS NOT NULL THEN greatest(terms.running - counted.taken, 0) END,
        CASE WHEN terms.apart IS NULL THEN NULL
            WHEN greatest(coalesce(bucket.full_at, 0), now) > now + terms.tolerance THEN 0
            ELSE (now + terms.tolerance - greatest(coalesce(bucket.full_at, 0), now)) / terms.apart + 1
        END,
        terms.in_order, counted.taken, terms.running, terms.apart,
        CASE WHEN terms.apart IS NOT NULL THEN coalesce(bucket.full_at, 0) - terms.tolerance END,
        terms.patience
    FROM (
        SELECT
            g.gate,
            coalesce(own.paused, false) OR coalesce(kind.paused, false) AS paused,
            CASE WHEN own.running IS NOT NULL THEN own.running ELSE kind.running END AS running,
            CASE WHEN own.running IS NOT NULL THEN own.in_order ELSE coalesce(kind.in_order, false) END AS in_order,
            CASE WHEN own.apart IS NOT NULL THEN own.apart ELSE kind.apart END AS apart,
            CASE WHEN own.apart IS NOT NULL THEN own.tolerance ELSE kind.tolerance END AS tolerance,
            CASE WHEN own.apart IS NOT NULL THEN own.patience ELSE coalesce(kind.patience, 0) END AS patience
        FROM (SELECT DISTINCT u.gate FROM unnest(gates) AS u (gate)) AS g
        LEFT JOIN windlass.rule AS own ON own.gate = g.gate
        LEFT JOIN windlass.rule AS kind
            ON kind.gate = CASE WHEN g.gate LIKE 'key:%' THEN 'keys:' || split_part(g.gate, ':', 2)
                WHEN g.gate LIKE 'owner:%' THEN 'owners' END
        WHERE own.gate IS NOT NULL OR kind.gate IS NOT NULL
    ) AS terms
    CROSS JOIN LATERAL (
        SELECT CASE WHEN terms.apart IS NOT NULL
            THEN (SELECT b.full_at FROM windlass.bucket AS b WHERE b.gate = terms.gate) END AS full_at
    ) AS bucket
    CROSS JOIN LATERAL (
        SELECT CASE WHEN terms.running IS NOT NULL
            THEN CASE WHEN windlass.gates_is_counted(terms.gate, terms.in_order)
                THEN coalesce((SELECT tally.taken FROM windlass.tally WHERE tally.gate = terms.gate), 0)
                ELSE (SELECT count(*) FROM windlass.slot WHERE slot.gate = terms.gate)
            END ELSE 0 END AS taken
    ) AS counted;
END
$$;
