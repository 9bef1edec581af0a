-- When there are no rules any more, nor traces of any, turns go side by side again.
CREATE OR REPLACE FUNCTION windlass.gates_tidy() RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM windlass.rule WHERE rule.gate <> '') AND NOT EXISTS (SELECT 1 FROM windlass.held)
        AND NOT EXISTS (SELECT 1 FROM windlass.slot)
    THEN
        -- Nobody may line up beside this; "turns" in ASCII. While somebody does, it is left to the next sweep: to wait here would
        -- keep all turns waiting.
        IF NOT pg_try_advisory_xact_lock(500152331891) OR EXISTS (SELECT 1 FROM windlass.held) THEN
            RETURN;
        END IF;
        DELETE FROM windlass.rule;
        DELETE FROM windlass.opening;
        DELETE FROM windlass.line;
        DELETE FROM windlass.bucket;
        DELETE FROM windlass.tally;
        DELETE FROM windlass.turn;
        DELETE FROM windlass.arrival;
    END IF;
END
$$;
