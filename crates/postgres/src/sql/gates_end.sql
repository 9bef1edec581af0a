-- Where claims alone go one after the other: this one, or what a turn without one does in its place, begins. The attempts that the
-- turn has ended run no more; it says so here, at its end, because whoever claims waits for it from now on.
CREATE OR REPLACE FUNCTION windlass.gates_end(at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    ended text := nullif(current_setting('windlass_turn.ended', true), '');
BEGIN
    -- The lock of gates.
    PERFORM pg_advisory_xact_lock(444315726195);
    IF ended IS NOT NULL THEN
        PERFORM windlass.gates_fewer(windlass.clock(at), array_agg(split_part(e.line, '=', 1)),
            array_agg(split_part(e.line, '=', 2)::bigint))
        FROM unnest(string_to_array(rtrim(ended, ';'), ';')) AS e (line);
        PERFORM set_config('windlass_turn.ended', '', true);
    END IF;
END
$$;
