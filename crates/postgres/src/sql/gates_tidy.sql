-- When there are no rules any more, nor traces of any, turns go side by side again.
CREATE OR REPLACE FUNCTION windlass.gates_tidy() RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM windlass.rule WHERE rule.gate <> '') AND NOT EXISTS (SELECT 1 FROM windlass.held)
        AND NOT EXISTS (SELECT 1 FROM windlass.slot)
    THEN
        DELETE FROM windlass.rule;
        DELETE FROM windlass.opening;
        DELETE FROM windlass.line;
        DELETE FROM windlass.bucket;
    END IF;
END
$$;
