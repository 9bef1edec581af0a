-- Removes finished jobs of a status that finished at `over` or before, the oldest first.
CREATE OR REPLACE FUNCTION windlass.prune(which smallint, over bigint, most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    removed bigint[];
BEGIN
    WITH old AS (
        DELETE FROM windlass.done WHERE done.ctid = ANY (ARRAY(
            SELECT d.ctid FROM windlass.done AS d WHERE d.status = which AND d.finished_at <= over
            ORDER BY d.finished_at LIMIT most
            FOR UPDATE SKIP LOCKED))
        RETURNING done.seq
    )
    SELECT array_agg(old.seq) INTO removed FROM old;
    IF removed IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM windlass.attempt WHERE attempt.seq = ANY (removed);
    -- Without a period a job that is removed holds its key no more.
    IF EXISTS (SELECT 1 FROM windlass.holder) THEN
        DELETE FROM windlass.holder
        WHERE holder.id = ANY (ARRAY(SELECT job.id FROM windlass.job WHERE job.seq = ANY (removed)))
            AND holder.until IS NULL;
    END IF;
    DELETE FROM windlass.job WHERE job.seq = ANY (removed);
    RETURN cardinality(removed);
END
$$;
