-- Forgets buckets that are full, and what rules have left when they are gone.
CREATE OR REPLACE FUNCTION windlass.gates_sweep(at bigint, most integer) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM windlass.rule) THEN
        -- A transaction with an old snapshot may have lined jobs up after the last rule was gone.
        IF (SELECT 1 FROM windlass.held LIMIT 1) IS NULL THEN
            RETURN;
        END IF;
        PERFORM pg_advisory_xact_lock(444315726195);
        INSERT INTO windlass.rule (gate, paused, in_order, tolerance, patience, record) VALUES ('', false, false, 0, 0, '')
        ON CONFLICT DO NOTHING;
    END IF;
    IF NOT windlass.gates_enter() THEN
        RETURN;
    END IF;
    DELETE FROM windlass.bucket WHERE bucket.ctid = ANY (ARRAY(
        SELECT b.ctid FROM windlass.bucket AS b WHERE b.full_at <= windlass.clock(at) LIMIT most))
        -- Submissions spend from those of owners beside this.
        AND bucket.full_at <= windlass.clock(at);
    PERFORM windlass.gates_tidy();
END
$$;
