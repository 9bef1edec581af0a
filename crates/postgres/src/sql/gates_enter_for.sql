-- A turn whose claim is for some handlers begins. Where there are no rules and it may leave jobs to others it goes as if there were some,
-- since all have to go by what it leaves: first of all, so that no two wait for each other that know of no rules yet. `brings_others` says
-- that it may bring such jobs itself.
CREATE OR REPLACE FUNCTION windlass.gates_enter_for(
    at bigint, lines text[], wanted integer, handlers text[], brings_others boolean
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM windlass.rule)
        AND (brings_others OR windlass.gates_others_wait(windlass.clock(at), lines, wanted, handlers))
    THEN
        -- "gates" in ASCII.
        PERFORM pg_advisory_xact_lock(444315726195);
        PERFORM set_config('windlass_turn.alone', 'yes', true);
    END IF;
END
$$;
