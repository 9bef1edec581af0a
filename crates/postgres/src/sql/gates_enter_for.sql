-- A turn whose claim is for some handlers begins. Where it may leave jobs to others, and turns go side by side, it goes alone, since all
-- have to go by what it leaves: first of all, so that no two wait for each other. `brings_others` says that it may bring such jobs itself.
CREATE OR REPLACE FUNCTION windlass.gates_enter_for(
    at bigint, lines text[], wanted integer, handlers text[], brings_others boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF (SELECT rule.one_by_one FROM windlass.rule WHERE rule.gate = '') THEN
        IF windlass.gates_mode() <> 'serial' THEN
            RAISE EXCEPTION 'how turns go has just changed' USING ERRCODE = 'serialization_failure';
        END IF;
    ELSIF brings_others OR windlass.gates_others_wait(windlass.clock(at), lines, wanted, handlers)
        OR EXISTS (SELECT 1 FROM windlass.rule)
    THEN
        -- "modes" in ASCII.
        PERFORM pg_advisory_xact_lock(470020285811);
        PERFORM set_config('windlass_turn.alone', 'yes', true);
    END IF;
END
$$;
