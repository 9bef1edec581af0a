-- The store's now: the server's clock, unless a test brings its own.
CREATE OR REPLACE FUNCTION windlass.clock(at bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(at, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
$$;
