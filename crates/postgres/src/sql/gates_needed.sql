-- How turns have to go by what there is now: see gates_mode.
CREATE OR REPLACE FUNCTION windlass.gates_needed() RETURNS text
LANGUAGE sql VOLATILE
SET enable_seqscan = off SET jit = off AS $$
    SELECT CASE
        WHEN EXISTS (SELECT 1 FROM windlass.held) OR EXISTS (SELECT 1 FROM windlass.slot)
            OR EXISTS (
                SELECT 1 FROM windlass.rule
                WHERE rule.gate <> '' AND (rule.drops OR rule.shared_by IS NOT NULL
                    OR NOT starts_with(rule.gate, 'owner') AND NOT windlass.gates_is_counted(rule.gate, rule.in_order)))
            THEN 'serial'
        WHEN EXISTS (SELECT 1 FROM windlass.rule WHERE rule.gate <> '') THEN 'counted'
        ELSE 'free'
    END
$$;
