-- All who wait at these gates shall look again. At the gate of a queue or of everything nobody is on record as waiting: whoever
-- claims next looks there anyway.
CREATE OR REPLACE FUNCTION windlass.gates_open(now bigint, gates text[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    woken boolean;
BEGIN
    INSERT INTO windlass.opening (queue, at, gate)
    SELECT line.queue, now, line.gate FROM windlass.line WHERE line.gate = ANY (gates)
    ON CONFLICT DO NOTHING;
    woken := FOUND;
    IF woken OR '*' = ANY (gates) OR EXISTS (SELECT 1 FROM unnest(gates) AS gate WHERE gate LIKE 'queue:%') THEN
        PERFORM set_config('windlass_turn.opened', 'yes', true);
    END IF;
END
$$;
