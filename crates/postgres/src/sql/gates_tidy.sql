-- Says how turns go by what is left; nobody is beside it. Where there are no rules any more, nor traces of any, nothing is.
CREATE OR REPLACE FUNCTION windlass.gates_tidy() RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    needed text := windlass.gates_needed();
BEGIN
    -- Nobody may line up beside this. While somebody does, it is left to the next sweep: to wait here would
    -- keep all turns waiting.
    IF needed <> 'serial' AND NOT pg_try_advisory_xact_lock(500152331891) OR EXISTS (SELECT 1 FROM windlass.held) THEN
        needed := 'serial';
    END IF;
    IF needed <> 'free' THEN
        INSERT INTO windlass.rule (gate, paused, in_order, tolerance, patience, record, one_by_one)
        VALUES ('', false, false, 0, 0, '', needed = 'serial')
        ON CONFLICT (gate) DO UPDATE SET one_by_one = excluded.one_by_one WHERE rule.one_by_one <> excluded.one_by_one;
        RETURN;
    END IF;
    DELETE FROM windlass.rule;
    DELETE FROM windlass.opening;
    DELETE FROM windlass.line;
    DELETE FROM windlass.bucket;
    DELETE FROM windlass.tally;
    DELETE FROM windlass.turn;
    DELETE FROM windlass.arrival;
END
$$;
