-- Asks the handler of a running job to stop; whether it runs. Its worker is told, with every request: what was said first may have
-- been lost.
CREATE OR REPLACE FUNCTION windlass.request_cancel(now bigint, wanted uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    UPDATE windlass.run
    SET cancel_requested = true, updated_at = CASE WHEN run.cancel_requested THEN run.updated_at ELSE now END
    WHERE run.id = wanted;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pg_notify('windlass_' || space.nspname, wanted::text)
    FROM pg_class AS c JOIN pg_namespace AS space ON space.oid = c.relnamespace
    WHERE c.oid = 'windlass.job'::regclass;
    RETURN true;
END
$$;
