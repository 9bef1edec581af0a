-- Marks all jobs that wait with whose they are: owners' jobs are counted from now on. Whoever puts jobs where they wait is waited for,
-- and waits until this has committed, so that none is missed.
CREATE OR REPLACE FUNCTION windlass.owners_mark_all() RETURNS void
LANGUAGE plpgsql VOLATILE
SET jit = off AS $$
BEGIN
    LOCK TABLE windlass.job, windlass.ready, windlass.scheduled, windlass.held IN SHARE ROW EXCLUSIVE MODE;
    UPDATE windlass.ready SET owner = job.owner FROM windlass.job
    WHERE job.seq = ready.seq AND job.owner IS NOT NULL AND ready.owner IS NULL;
    UPDATE windlass.scheduled SET owner = job.owner FROM windlass.job
    WHERE job.seq = scheduled.seq AND job.owner IS NOT NULL AND scheduled.owner IS NULL;
    UPDATE windlass.held SET owner = job.owner FROM windlass.job
    WHERE job.seq = held.seq AND job.owner IS NOT NULL AND held.owner IS NULL;
END
$$;
