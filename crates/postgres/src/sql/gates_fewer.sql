-- So many attempts of some lines have ended: where those who run are counted, they are fewer.
CREATE OR REPLACE FUNCTION windlass.gates_fewer(now bigint, lines text[], numbers bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    full_before text[];
BEGIN
    WITH ended AS MATERIALIZED (
        SELECT gates.gate, sum(of_line.number) AS number
        FROM unnest(lines, numbers) AS of_line (line, number)
        CROSS JOIN LATERAL (VALUES ('*'), ('queue:' || of_line.line)) AS gates (gate)
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
END
$$;
