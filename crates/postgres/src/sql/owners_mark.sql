-- Marks jobs that wait again, or were kept elsewhere before, with whose they are, where owners' jobs are counted. After they have been
-- put where they wait: an edit that begins to count keeps writers waiting, and is seen by then.
CREATE OR REPLACE FUNCTION windlass.owners_mark(ids uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF NOT windlass.owners_counted() THEN
        RETURN;
    END IF;
    UPDATE windlass.ready SET owner = job.owner FROM windlass.job
    WHERE job.id = ANY (ids) AND job.owner IS NOT NULL AND ready.queue = job.queue AND ready.suspect IN (false, true)
        AND ready.priority = job.priority AND ready.seq = job.seq;
    UPDATE windlass.scheduled SET owner = job.owner FROM windlass.job
    WHERE job.id = ANY (ids) AND job.owner IS NOT NULL AND scheduled.seq = job.seq;
    UPDATE windlass.held SET owner = job.owner FROM windlass.job
    WHERE job.id = ANY (ids) AND job.owner IS NOT NULL AND held.seq = job.seq;
END
$$;
