-- claim for some handlers where no jobs of others are in front: those that came meanwhile are passed by, and left to the next one.
CREATE OR REPLACE FUNCTION windlass.claim_for(
    now bigint, lines text[], wanted integer, suspects integer, lease bigint, claimant uuid, handlers text[]
) RETURNS TABLE (
    seq bigint, id uuid, token bigint, name text, queue text, priority smallint, owner text, created_at bigint, spec bytea,
    payload bytea, retries integer, crashes integer, started_at bigint
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    taken integer := 0;
    found_now integer;
    kind boolean;
    line text;
    room integer;
BEGIN
    FOREACH kind IN ARRAY ARRAY[true, false] LOOP
        FOREACH line IN ARRAY lines LOOP
            room := CASE WHEN kind THEN least(suspects, wanted) ELSE wanted END - taken;
            EXIT WHEN room <= 0;
            RETURN QUERY
            WITH next AS (
                DELETE FROM windlass.ready WHERE ready.ctid = ANY (ARRAY(
                    SELECT found.ctid
                    FROM generate_series(0, 9) AS level, LATERAL (
                        SELECT r.ctid FROM windlass.ready AS r
                        WHERE r.queue = line AND r.suspect = kind AND r.priority = level
                            AND (SELECT job.name FROM windlass.job WHERE job.seq = r.seq) = ANY (handlers)
                        ORDER BY r.seq LIMIT room
                        FOR UPDATE SKIP LOCKED) AS found
                    LIMIT room))
                RETURNING *
            ), started AS (
                INSERT INTO windlass.run (id, seq, queue, priority, suspect, token, expires_at, retries, crashes,
                    max_crashes, updated_at, started_at, worker, error)
                SELECT next.id, next.seq, next.queue, next.priority, next.suspect, greatest(next.token + 1, now), now + lease,
                    next.retries, next.crashes, next.max_crashes, now, now, claimant, next.error
                FROM next
                RETURNING run.seq, run.token, run.retries, run.crashes
            )
            SELECT started.seq, job.id, started.token, job.name, job.queue, job.priority, job.owner, job.created_at, job.spec,
                job.payload, started.retries, started.crashes, now
            FROM started JOIN windlass.job ON job.seq = started.seq
            ORDER BY job.priority, job.seq;
            GET DIAGNOSTICS found_now = ROW_COUNT;
            taken := taken + found_now;
        END LOOP;
    END LOOP;
END
$$;
