-- Leases that ran out, the oldest first. Nothing is locked: a process that stops here must not keep others from its jobs.
CREATE OR REPLACE FUNCTION windlass.lost(at bigint, most integer) RETURNS TABLE (
    id uuid, token bigint, crashes integer, max_crashes bigint
)
LANGUAGE sql STABLE
SET enable_seqscan = off SET jit = off AS $$
    SELECT run.id, run.token, run.crashes, run.max_crashes
    FROM windlass.run
    WHERE run.expires_at <= windlass.clock(at)
    ORDER BY run.expires_at, run.seq
    LIMIT most
$$;
