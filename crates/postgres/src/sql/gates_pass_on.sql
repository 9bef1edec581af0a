-- Jobs will not pass, though they may have come back from gates for the room there: others shall look.
CREATE OR REPLACE FUNCTION windlass.gates_pass_on(now bigint, gates text[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    waited text[];
    closed text[];
BEGIN
    SELECT array_agg(DISTINCT line.gate) INTO waited FROM windlass.line WHERE line.gate = ANY (gates);
    IF waited IS NULL THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(room.gate), '{}') INTO closed
    FROM windlass.gates_rooms(now, waited) AS room
    WHERE room.paused OR room.free = 0 OR room.tokens = 0;
    PERFORM windlass.gates_open(now, ARRAY(SELECT w FROM unnest(waited) AS w WHERE w <> ALL (closed)));
END
$$;
