-- Whether there are rules. Turns that go by rules go one after the other until they end; those that do not go side by side, but
-- not beside the edit that sets the first one.
CREATE OR REPLACE FUNCTION windlass.gates_enter() RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    -- "gates" in ASCII.
    lock bigint := 444315726195;
    warm text := current_setting('windlass_session.warm', true);
BEGIN
    -- It is asked on behalf of nobody.
    IF warm = 'soon' THEN
        RETURN false;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM windlass.rule) THEN
        PERFORM pg_advisory_xact_lock_shared(lock);
        IF NOT EXISTS (SELECT 1 FROM windlass.rule) THEN
            RETURN false;
        END IF;
    END IF;
    IF warm IS DISTINCT FROM 'yes' THEN
        PERFORM set_config('windlass_session.warm', 'soon', false);
        PERFORM windlass.gates_warm();
        PERFORM set_config('windlass_session.warm', 'yes', false);
    END IF;
    PERFORM pg_advisory_xact_lock(lock);
    RETURN true;
END
$$;
