-- Whether there are rules. Turns that go by rules go one after the other until they end; those that do not go side by side, but
-- not beside the edit that sets the first one.
CREATE OR REPLACE FUNCTION windlass.gates_enter() RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    -- "gates" in ASCII.
    lock bigint := 444315726195;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM windlass.rule) THEN
        PERFORM pg_advisory_xact_lock_shared(lock);
        IF NOT EXISTS (SELECT 1 FROM windlass.rule) THEN
            RETURN false;
        END IF;
    END IF;
    PERFORM pg_advisory_xact_lock(lock);
    RETURN true;
END
$$;
