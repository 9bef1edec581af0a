-- Jobs that have just become ready go on into their lines, if their queues are shared.
CREATE OR REPLACE FUNCTION windlass.turns_line_up(seqs bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
BEGIN
    IF NOT windlass.turns_enter() THEN
        RETURN;
    END IF;
    WITH waiting AS MATERIALIZED (
        SELECT job.seq, job.queue, job.priority, windlass.turns_line_of(job.queue, job.keys) AS line
        FROM windlass.job WHERE job.seq = ANY (seqs)
    ), gone AS (
        DELETE FROM windlass.ready USING waiting
        WHERE waiting.line IS NOT NULL AND ready.queue = waiting.queue AND NOT ready.suspect
            AND ready.priority = waiting.priority AND ready.seq = waiting.seq
        RETURNING ready.*, waiting.line
    ), put AS (
        INSERT INTO windlass.held
        SELECT line, queue, true, priority, seq, suspect, id, token, retries, crashes, max_crashes, updated_at, started_at,
            worker, progress, error, owner
        FROM gone
    )
    INSERT INTO windlass.arrival (queue, line) SELECT DISTINCT gone.queue, gone.line FROM gone;
END
$$;
