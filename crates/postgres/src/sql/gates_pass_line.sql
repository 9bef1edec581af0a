-- So many jobs of a line start: where those who run are counted, they are, and buckets give their tokens.
CREATE OR REPLACE FUNCTION windlass.gates_pass_line(now bigint, its_line text, number bigint) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    UPDATE windlass.tally SET taken = tally.taken + number WHERE tally.gate IN ('*', 'queue:' || its_line);
    INSERT INTO windlass.bucket (gate, full_at)
    SELECT rule.gate, now + number * rule.apart
    FROM windlass.rule
    WHERE rule.gate IN ('*', 'queue:' || its_line) AND rule.apart IS NOT NULL
        AND windlass.gates_is_counted(rule.gate, rule.in_order)
    ON CONFLICT (gate) DO UPDATE SET full_at = greatest(bucket.full_at, now) + excluded.full_at - now;
END
$$;
