-- Writes the rule at a gate, if it is the expected one; where `hold` is given the bucket is held for so long instead. Answers
-- whether it was written.
CREATE OR REPLACE FUNCTION windlass.gates_edit(
    at bigint, its_gate text, expected bytea, its_paused boolean, its_running bigint, its_in_order boolean, its_apart bigint,
    its_tolerance bigint, its_patience bigint, its_record bytea, anew boolean, hold bigint, channel text,
    its_kind text DEFAULT NULL, its_weight bigint DEFAULT NULL,
    its_waiting bigint DEFAULT NULL, its_drops boolean DEFAULT false, its_aging bigint DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET jit = off AS $$
DECLARE
    now bigint := windlass.clock(at);
    covered text := CASE
        WHEN its_gate LIKE 'keys:%' THEN 'key:' || substr(its_gate, 6) || ':' WHEN its_gate = 'owners' THEN 'owner:' END;
    counted boolean;
BEGIN
    IF hold IS NOT NULL AND NOT EXISTS (SELECT 1 FROM windlass.rule) THEN
        RETURN true;
    END IF;
    -- How turns go may change, so all that have asked are waited for: "modes" in ASCII.
    IF hold IS NULL THEN
        PERFORM pg_advisory_xact_lock(470020285811);
    END IF;
    PERFORM pg_advisory_xact_lock(444315726195);
    IF hold IS NOT NULL THEN
        INSERT INTO windlass.bucket (gate, full_at)
        SELECT r.gate, now + hold + terms.tolerance
        FROM windlass.gates_rooms(now, ARRAY[its_gate]) AS r
        CROSS JOIN LATERAL (
            SELECT rule.tolerance FROM windlass.rule
            WHERE rule.apart IS NOT NULL AND rule.gate IN (its_gate, CASE
                WHEN its_gate LIKE 'key:%' THEN 'keys:' || split_part(its_gate, ':', 2)
                WHEN its_gate LIKE 'owner:%' THEN 'owners' END)
            ORDER BY rule.gate = its_gate DESC LIMIT 1) AS terms
        WHERE r.apart IS NOT NULL
        ON CONFLICT (gate) DO UPDATE SET full_at = greatest(bucket.full_at, excluded.full_at);
        RETURN true;
    END IF;
    IF (SELECT rule.record FROM windlass.rule WHERE rule.gate = its_gate) IS DISTINCT FROM expected THEN
        RETURN false;
    END IF;
    counted := windlass.owners_counted();
    DELETE FROM windlass.rule WHERE rule.gate = its_gate;
    IF its_record IS NOT NULL THEN
        INSERT INTO windlass.rule VALUES (its_gate, its_paused, its_running, its_in_order, its_apart, its_tolerance,
            its_patience, its_record, its_kind, its_weight, its_waiting, its_drops, its_aging),
            ('', false, NULL, false, NULL, 0, 0, '', NULL, NULL, NULL, false, NULL)
        ON CONFLICT DO NOTHING;
    END IF;
    IF NOT counted AND windlass.owners_counted() THEN
        PERFORM windlass.owners_mark_all();
    END IF;
    IF anew THEN
        -- Slots are there where a number is set, for all jobs that run, and for those that keep theirs where jobs do; buckets
        -- where a rate is.
        DELETE FROM windlass.slot
        WHERE (slot.gate = its_gate OR starts_with(slot.gate, covered))
            AND slot.gate NOT IN (
                SELECT r.gate FROM windlass.gates_rooms(now, ARRAY(
                    SELECT DISTINCT s.gate FROM windlass.slot AS s WHERE s.gate = its_gate OR starts_with(s.gate, covered))) AS r
                WHERE r.running IS NOT NULL AND r.in_order);
        DELETE FROM windlass.bucket
        WHERE (bucket.gate = its_gate OR starts_with(bucket.gate, covered))
            AND bucket.gate NOT IN (
                SELECT r.gate FROM windlass.gates_rooms(now, ARRAY(
                    SELECT b.gate FROM windlass.bucket AS b WHERE b.gate = its_gate OR starts_with(b.gate, covered))) AS r
                WHERE r.apart IS NOT NULL);
        DELETE FROM windlass.tally WHERE tally.gate = its_gate;
        IF its_running IS NOT NULL AND windlass.gates_is_counted(its_gate, its_in_order) THEN
            INSERT INTO windlass.tally (gate, taken)
            SELECT its_gate, count(*) FROM windlass.run WHERE its_gate IN ('*', 'queue:' || run.queue);
        END IF;
        INSERT INTO windlass.slot (gate, id)
        WITH passing AS MATERIALIZED (
            SELECT g.gate, run.id
            FROM windlass.run
            JOIN windlass.job ON job.seq = run.seq
            CROSS JOIN LATERAL unnest(windlass.gates_of(job.queue, job.name, job.keys)) AS g (gate)
            WHERE g.gate = its_gate OR starts_with(g.gate, covered)
        )
        SELECT passing.gate, passing.id
        FROM passing
        JOIN windlass.gates_rooms(now, ARRAY(SELECT DISTINCT p.gate FROM passing AS p)) AS r ON r.gate = passing.gate
        WHERE r.running IS NOT NULL AND NOT windlass.gates_is_counted(passing.gate, r.in_order)
        ON CONFLICT DO NOTHING;
    END IF;
    PERFORM windlass.gates_open(now, ARRAY(
        SELECT DISTINCT line.gate FROM windlass.line WHERE line.gate = its_gate OR starts_with(line.gate, covered)));
    PERFORM windlass.gates_tidy();
    PERFORM pg_notify(channel, 'ready');
    RETURN true;
END
$$;
