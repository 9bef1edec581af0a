-- Forgets keys of unique jobs whose period is over, at most so many.
CREATE OR REPLACE FUNCTION windlass.let_go(at bigint, most integer) RETURNS void
LANGUAGE sql VOLATILE AS $$
    DELETE FROM windlass.holder WHERE holder.ctid = ANY (ARRAY(
        SELECT h.ctid FROM windlass.holder AS h WHERE h.until <= windlass.clock(at)
        ORDER BY h.until LIMIT most
        FOR UPDATE SKIP LOCKED))
$$;
