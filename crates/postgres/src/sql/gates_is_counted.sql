-- Whether a gate needs no slots: at the gates of queues and of everything those who run are counted, but where jobs keep their
-- slots between attempts.
CREATE OR REPLACE FUNCTION windlass.gates_is_counted(gate text, in_order boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT NOT in_order AND (gate = '*' OR gate LIKE 'queue:%')
$$;
