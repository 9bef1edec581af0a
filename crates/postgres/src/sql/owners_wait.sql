-- Which of some jobs that are submitted their owners may not submit now, as the rates at their gates say, and for how long that
-- lasts: a number for each such job, and nothing at all where all may be submitted. Those that may count from now on; jobs whose
-- ids are taken are no new ones.
CREATE OR REPLACE FUNCTION windlass.owners_wait(now bigint, ids uuid[], owners text[]) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    gates text[];
    their_gates text[];
    over uuid[];
    waits bigint[];
BEGIN
    IF NOT EXISTS (SELECT 1 FROM windlass.rule WHERE rule.gate >= 'owner' AND rule.gate < 'owner~') THEN
        RETURN NULL;
    END IF;
    gates := ARRAY(SELECT DISTINCT 'owner:' || o FROM unnest(owners) AS o WHERE o IS NOT NULL);
    -- In one order, so that no two wait for each other.
    PERFORM pg_advisory_xact_lock(hashtextextended('windlass.' || g, 0))
    FROM (SELECT r.gate AS g FROM windlass.gates_rooms(now, gates) AS r WHERE r.apart IS NOT NULL ORDER BY r.gate) AS limited;
    WITH fresh AS (
        SELECT a.id, 'owner:' || a.owner AS gate,
            row_number() OVER (PARTITION BY a.owner ORDER BY a.place) AS nth
        FROM (
            SELECT DISTINCT ON (b.id) b.* FROM unnest(ids, owners) WITH ORDINALITY AS b (id, owner, place)
            ORDER BY b.id, b.place
        ) AS a
        WHERE a.owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM windlass.job WHERE job.id = a.id)
    ), judged AS MATERIALIZED (
        SELECT fresh.id, fresh.gate, r.apart, fresh.nth > r.tokens AS is_over
        FROM fresh JOIN windlass.gates_rooms(now, gates) AS r ON r.gate = fresh.gate
        WHERE r.apart IS NOT NULL
    ), spent AS (
        INSERT INTO windlass.bucket (gate, full_at)
        SELECT judged.gate, now + count(*) * min(judged.apart) FROM judged WHERE NOT judged.is_over GROUP BY judged.gate
        ON CONFLICT (gate) DO UPDATE SET full_at = greatest(bucket.full_at, now) + excluded.full_at - now
    )
    SELECT array_agg(judged.gate), array_agg(judged.id) INTO their_gates, over FROM judged WHERE judged.is_over;
    IF over IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(CASE WHEN w.id IS NOT NULL THEN greatest(r.opens - now, 0) END ORDER BY a.place) INTO waits
    FROM unnest(ids) WITH ORDINALITY AS a (id, place)
    LEFT JOIN unnest(their_gates, over) AS w (gate, id) ON w.id = a.id
    LEFT JOIN windlass.gates_rooms(now, gates) AS r ON r.gate = w.gate;
    RETURN waits;
END
$$;
