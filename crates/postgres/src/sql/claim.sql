-- Gives ready jobs to a worker: suspects first, then by line in the order given, priority and order of acceptance.
--
-- `froms` has ten numbers for each line, one for each priority, under which no ready job is known, so that a claim need
-- not step over rows that are gone and that the vacuum may not remove yet. Jobs may be there all the same, come back
-- from a worker or from a transaction that was slow: NULL looks at everything. `handlers` are those whose jobs it takes, NULL for all; a
-- turn for some begins with gates_enter_for.
CREATE OR REPLACE FUNCTION windlass.claim(
    at bigint, lines text[], wanted integer, suspects integer, lease bigint, claimant uuid, froms bigint[],
    handlers text[] DEFAULT NULL
) RETURNS TABLE (
    seq bigint, id uuid, token bigint, name text, queue text, priority smallint, owner text, created_at bigint, spec bytea,
    payload bytea, retries integer, crashes integer, started_at bigint
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    began timestamptz := clock_timestamp();
    now bigint;
    taken integer := 0;
    found_now integer;
    kind boolean;
    line text;
    starts bigint[];
    room integer;
    mode text := windlass.gates_mode();
BEGIN
    -- Claims that go by rules wait for each other, so one that can find nothing does not become one of them, unless it has to.
    IF (handlers IS NOT NULL OR mode <> 'free') AND coalesce(current_setting('windlass_turn.ended', true), '') = ''
        AND NOT windlass.gates_may_find(windlass.clock(at), lines, handlers)
    THEN
        PERFORM set_config('windlass_turn.took', '0', true);
        RETURN;
    END IF;
    IF mode <> 'free' THEN
        PERFORM windlass.gates_enter();
    END IF;
    PERFORM windlass.promote(at, lines, 1000, CASE WHEN froms IS NOT NULL THEN windlass.recent(at) END);
    IF mode = 'counted' THEN
        PERFORM windlass.gates_end(at);
    END IF;
    -- After all that, or a job that became due meanwhile would begin before its time.
    now := windlass.clock(at);
    IF mode <> 'free' OR (handlers IS NOT NULL AND nullif(current_setting('windlass_turn.alone', true), '') IS NOT NULL) THEN
        RETURN QUERY SELECT * FROM windlass.gates_claim(at, lines, wanted, suspects, lease, claimant, handlers);
        PERFORM set_config('windlass_turn.took', '0', true);
        RETURN;
    ELSIF handlers IS NOT NULL THEN
        RETURN QUERY SELECT * FROM windlass.claim_for(now, lines, wanted, suspects, lease, claimant, handlers);
        PERFORM set_config('windlass_turn.took', '0', true);
        RETURN;
    END IF;
    FOREACH kind IN ARRAY ARRAY[true, false] LOOP
        FOR place IN 1..cardinality(lines) LOOP
            line := lines[place];
            starts := CASE WHEN kind THEN NULL ELSE froms[place * 10 - 9:place * 10] END;
            room := CASE WHEN kind THEN least(suspects, wanted) ELSE wanted END - taken;
            EXIT WHEN room <= 0;
            RETURN QUERY
            WITH next AS (
                DELETE FROM windlass.ready WHERE ready.ctid = ANY (ARRAY(
                    SELECT found.ctid
                    FROM generate_series(0, 9) AS level, LATERAL (
                        SELECT r.ctid FROM windlass.ready AS r
                        WHERE r.queue = line AND r.suspect = kind AND r.priority = level
                            AND r.seq >= coalesce(starts[level + 1], 0)
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
    PERFORM set_config('windlass_turn.took', (extract(epoch FROM clock_timestamp() - began) * 1000000)::bigint::text, true);
END
$$;
