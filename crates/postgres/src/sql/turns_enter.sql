-- Whether queues are shared, so that jobs that become ready may belong into lines. Whoever is told so is not beside those that
-- forget all rules.
CREATE OR REPLACE FUNCTION windlass.turns_enter() RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM windlass.rule WHERE rule.shared_by IS NOT NULL) THEN
        RETURN false;
    END IF;
    -- The lock of turns.
    PERFORM pg_advisory_xact_lock_shared(500152331891);
    RETURN EXISTS (SELECT 1 FROM windlass.rule WHERE rule.shared_by IS NOT NULL);
END
$$;
