-- claim where rules are set: jobs that may not start wait at their gate, and come back when there may be room. It passes over
-- 250 at most in each line, so that a rate that somebody waits for is kept meanwhile; the next claim goes on.
CREATE OR REPLACE FUNCTION windlass.gates_claim(
    at bigint, lines text[], wanted integer, suspects integer, lease bigint, claimant uuid,
    handlers text[] DEFAULT NULL
) RETURNS TABLE (
    seq bigint, id uuid, token bigint, name text, queue text, priority smallint, owner text, created_at bigint, spec bytea,
    payload bytea, retries integer, crashes integer, started_at bigint
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    taken integer := 0;
    passed_over integer;
    found_now integer;
    back integer;
    kind boolean;
    line text;
    room integer;
    -- How many to look at for as many as there is room for: where a claim is for some handlers, jobs of others may be in front, and
    -- where some were stopped, more of them.
    reach integer;
    others integer;
    seqs bigint[];
    places tid[];
    passed bigint[];
    stopped bigint[];
    -- In how long jobs of the line rise by a level.
    span bigint;
    -- The highest number of those that it takes.
    last bigint;
BEGIN
    FOREACH kind IN ARRAY ARRAY[true, false] LOOP
        FOREACH line IN ARRAY lines LOOP
            passed_over := 0;
            stopped := '{}';
            span := CASE WHEN NOT kind AND NOT windlass.turns_any(line)
                THEN (SELECT rule.aging FROM windlass.rule WHERE rule.gate = 'queue:' || line) END;
            WHILE passed_over < 250 LOOP
                room := CASE WHEN kind THEN least(suspects, wanted) ELSE wanted END - taken;
                EXIT WHEN room <= 0;
                -- Most often there are no suspects, and none can come back from a gate.
                EXIT WHEN kind
                    AND NOT EXISTS (SELECT 1 FROM windlass.ready AS r WHERE r.queue = line AND r.suspect)
                    AND NOT EXISTS (SELECT 1 FROM windlass.opening AS o WHERE o.queue = line AND o.at <= now
                        AND (handlers IS NULL OR windlass.gates_looks_at(handlers, o.gate)));
                back := windlass.gates_look_again(now, line, wanted, handlers);
                room := least(room, (SELECT its.room FROM windlass.gates_room_for(now, line) AS its));
                reach := CASE WHEN room > 0 AND (handlers IS NOT NULL OR cardinality(stopped) > 0) THEN greatest(room, 64) ELSE room END;
                IF room > 0 AND NOT kind AND windlass.turns_any(line) THEN
                    SELECT c.seqs, c.places INTO seqs, places FROM windlass.turns_choose(line, room) AS c;
                    span := NULL;
                ELSIF span IS NOT NULL THEN
                    SELECT c.seqs, c.places INTO seqs, places FROM windlass.gates_by_age(line, span, reach) AS c;
                ELSE
                    SELECT coalesce(array_agg(f.seq), '{}'), array_agg(f.place) INTO seqs, places
                    FROM (
                        SELECT found.seq, found.place
                        FROM generate_series(0, 9) AS level, LATERAL (
                            SELECT r.seq, r.ctid AS place FROM windlass.ready AS r
                            WHERE r.queue = line AND r.suspect = kind AND r.priority = level
                            ORDER BY r.seq LIMIT greatest(reach, 0)
                            FOR UPDATE SKIP LOCKED) AS found
                        LIMIT greatest(reach, 0)) AS f;
                END IF;
                -- Those who came back are seen by now; where suspects are looked for, the others would come back one and all.
                EXIT WHEN cardinality(seqs) = 0 AND (kind OR back = 0);
                IF handlers IS NOT NULL THEN
                    SELECT o.seqs, o.places, o.left_here INTO seqs, places, others
                    FROM windlass.gates_leave_to_others(now, line, handlers, room, seqs, places) AS o;
                    passed_over := passed_over + others;
                END IF;
                SELECT pass.passed, pass.stopped INTO passed, stopped
                FROM windlass.gates_pass(now, line, seqs, places, room) AS pass;
                passed_over := passed_over + cardinality(stopped);
                IF passed_over >= 250 THEN
                    PERFORM set_config('windlass_turn.passed_over', 'yes', true);
                END IF;
                RETURN QUERY
                WITH next AS (
                    DELETE FROM windlass.ready
                    WHERE ready.ctid = ANY (CASE WHEN cardinality(passed) = cardinality(seqs) THEN places ELSE ARRAY(
                        SELECT p.place FROM unnest(seqs, places) AS p (seq, place) WHERE p.seq = ANY (passed)) END)
                    RETURNING *
                ), started AS (
                    INSERT INTO windlass.run (id, seq, queue, priority, suspect, token, expires_at, retries, crashes,
                        max_crashes, updated_at, started_at, worker, error)
                    SELECT next.id, next.seq, next.queue, next.priority, next.suspect, greatest(next.token + 1, now),
                        now + lease, next.retries, next.crashes, next.max_crashes, now, now, claimant, next.error
                    FROM next
                    RETURNING run.seq, run.token, run.retries, run.crashes
                )
                SELECT started.seq, job.id, started.token, job.name, job.queue, job.priority, job.owner, job.created_at, job.spec,
                    job.payload, started.retries, started.crashes, now
                FROM started JOIN windlass.job ON job.seq = started.seq
                ORDER BY CASE WHEN span IS NOT NULL THEN job.created_at + job.priority * span END, job.priority, job.seq;
                GET DIAGNOSTICS found_now = ROW_COUNT;
                taken := taken + found_now;
                -- Those behind one that handed its room on stay ready, in their lines.
                IF NOT kind AND cardinality(passed) + cardinality(stopped) < cardinality(seqs) THEN
                    PERFORM windlass.turns_line_up(
                        ARRAY(SELECT s.seq FROM unnest(seqs) AS s (seq) WHERE s.seq <> ALL (passed || stopped)));
                END IF;
                IF found_now > 0 THEN
                    PERFORM windlass.gates_pass_line(now, line, found_now);
                    last := greatest(last, (SELECT max(p.seq) FROM unnest(passed) AS p (seq)));
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
    IF last IS NOT NULL THEN
        PERFORM set_config('windlass_turn.last', last::text, true);
    END IF;
END
$$;
