-- Forgets buckets that are full, and what rules have left when they are gone.
CREATE OR REPLACE FUNCTION windlass.gates_sweep(at bigint, most integer) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    one_by_one boolean := (SELECT rule.one_by_one FROM windlass.rule WHERE rule.gate = '');
    needed text := windlass.gates_needed();
BEGIN
    IF one_by_one IS NULL AND needed = 'free' THEN
        RETURN;
    END IF;
    -- A transaction with an old snapshot may have lined jobs up after the last rule was gone, too. "modes" in ASCII.
    IF one_by_one IS NULL OR needed = 'free' OR one_by_one <> (needed = 'serial') THEN
        PERFORM pg_advisory_xact_lock(470020285811);
        PERFORM pg_advisory_xact_lock(444315726195);
        PERFORM windlass.gates_tidy();
    END IF;
    IF windlass.gates_mode() = 'free' THEN
        RETURN;
    END IF;
    PERFORM windlass.gates_enter();
    PERFORM windlass.gates_end(at);
    -- Submissions spend from those of owners beside this, and may be in a turn that waits for it.
    DELETE FROM windlass.bucket WHERE bucket.ctid = ANY (ARRAY(
        SELECT b.ctid FROM windlass.bucket AS b WHERE b.full_at <= windlass.clock(at) LIMIT most
        FOR UPDATE SKIP LOCKED));
END
$$;
