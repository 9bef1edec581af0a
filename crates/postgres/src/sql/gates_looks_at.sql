-- Whether those who wait at a gate may be for a claim for some handlers: at that of another handler none is.
CREATE OR REPLACE FUNCTION windlass.gates_looks_at(handlers text[], gate text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT gate NOT LIKE 'handler:%' OR substr(gate, 9) = ANY (handlers)
$$;
