-- Forgets buckets that are full, and what rules have left when they are gone.
CREATE OR REPLACE FUNCTION windlass.gates_sweep(at bigint, most integer) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM windlass.rule) OR NOT windlass.gates_enter() THEN
        RETURN;
    END IF;
    DELETE FROM windlass.bucket WHERE bucket.ctid = ANY (ARRAY(
        SELECT b.ctid FROM windlass.bucket AS b WHERE b.full_at <= windlass.clock(at) LIMIT most));
    PERFORM windlass.gates_tidy();
END
$$;
