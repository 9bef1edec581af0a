-- Whether turns go one after the other, as this one does then until it ends. One that does more than claim begins with it.
CREATE OR REPLACE FUNCTION windlass.gates_enter() RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    warm text := current_setting('windlass_session.warm', true);
    mode text;
BEGIN
    -- It is asked on behalf of nobody.
    IF warm = 'soon' THEN
        RETURN false;
    END IF;
    mode := windlass.gates_mode();
    IF mode = 'free' THEN
        RETURN false;
    END IF;
    IF warm IS DISTINCT FROM 'serial' AND warm IS DISTINCT FROM mode THEN
        PERFORM set_config('windlass_session.warm', 'soon', false);
        PERFORM windlass.gates_warm(mode);
        PERFORM set_config('windlass_session.warm', mode, false);
    END IF;
    IF mode = 'serial' THEN
        -- The lock of gates.
        PERFORM pg_advisory_xact_lock(444315726195);
    END IF;
    RETURN mode = 'serial';
END
$$;
