-- Takes the slots and tokens of jobs if there is room for all of them, and says whether there was. The lists have an entry for
-- each gate of each job.
CREATE OR REPLACE FUNCTION windlass.gates_pass_all(now bigint, gates text[], ids uuid[], have_slots boolean[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_nestloop = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    numbered text[];
    rated text[];
    numbers bigint[];
    aparts bigint[];
    fits boolean;
BEGIN
    SELECT
        coalesce(bool_and(NOT r.paused AND (r.free IS NULL OR wanted.new <= r.free)
            AND (r.tokens IS NULL OR wanted.all_of <= r.tokens)), true),
        array_agg(r.gate) FILTER (WHERE r.running IS NOT NULL),
        array_agg(r.gate) FILTER (WHERE r.apart IS NOT NULL),
        array_agg(wanted.all_of) FILTER (WHERE r.apart IS NOT NULL),
        array_agg(r.apart) FILTER (WHERE r.apart IS NOT NULL)
    INTO fits, numbered, rated, numbers, aparts
    FROM (
        SELECT u.gate, count(*) AS all_of, count(*) FILTER (WHERE NOT u.has_slot) AS new
        FROM unnest(gates, have_slots) AS u (gate, has_slot)
        GROUP BY u.gate
    ) AS wanted
    JOIN windlass.gates_rooms(now, gates) AS r ON r.gate = wanted.gate;
    IF NOT fits THEN
        RETURN false;
    END IF;
    IF numbered IS NOT NULL THEN
        INSERT INTO windlass.slot (gate, id)
        SELECT u.gate, u.id
        FROM unnest(gates, ids, have_slots) AS u (gate, id, has_slot)
        JOIN unnest(numbered) AS n (gate) ON n.gate = u.gate
        WHERE NOT u.has_slot;
    END IF;
    IF rated IS NOT NULL THEN
        INSERT INTO windlass.bucket (gate, full_at)
        SELECT r.gate, now + r.number * r.apart FROM unnest(rated, numbers, aparts) AS r (gate, number, apart)
        ON CONFLICT (gate) DO UPDATE SET full_at = greatest(bucket.full_at, now) + excluded.full_at - now;
    END IF;
    RETURN true;
END
$$;
