-- Decides which of some ready jobs of a line, given in the order of a claim, pass all their gates, takes their slots and tokens,
-- and puts those that are stopped where they were. Decided in rounds: those who have room whoever goes before them pass, those
-- who have none now are stopped, and the rest are looked at again.
CREATE OR REPLACE FUNCTION windlass.gates_pass(
    now bigint, its_line text, kind boolean, seqs bigint[], OUT passed bigint[], OUT stopped bigint[]
)
LANGUAGE plpgsql VOLATILE
SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    rest bigint[];
    all_gates text[];
    -- What is asked, a list per column: job after job, gate after gate.
    a_places bigint[];
    a_seqs bigint[];
    a_ids uuid[];
    a_gates text[];
    a_nths bigint[];
    a_slots boolean[];
    going bigint[];
    now_stopped bigint[];
BEGIN
    stopped := '{}';
    SELECT array_agg(DISTINCT g.gate) INTO all_gates
    FROM unnest(seqs) AS s (seq)
    JOIN windlass.job ON job.seq = s.seq
    CROSS JOIN LATERAL unnest(windlass.gates_of(job.queue, job.name, job.keys)) AS g (gate);
    SELECT array_agg(r.gate) INTO all_gates FROM windlass.gates_rooms(now, all_gates) AS r;
    SELECT
        array_agg(a.place), array_agg(a.seq), array_agg(a.id), array_agg(a.gate), array_agg(a.nth),
        array_agg((SELECT true FROM windlass.slot WHERE slot.gate = a.gate AND slot.id = a.id) IS TRUE)
    INTO a_places, a_seqs, a_ids, a_gates, a_nths, a_slots
    FROM (
        SELECT s.place, s.seq, job.id, g.gate, g.nth
        FROM unnest(seqs) WITH ORDINALITY AS s (seq, place)
        JOIN windlass.job ON job.seq = s.seq
        CROSS JOIN LATERAL unnest(windlass.gates_of(job.queue, job.name, job.keys)) WITH ORDINALITY AS g (gate, nth)
        WHERE g.gate = ANY (all_gates)
    ) AS a;
    rest := ARRAY(SELECT DISTINCT a FROM unnest(a_seqs) AS a);
    passed := ARRAY(SELECT s FROM unnest(seqs) AS s WHERE s <> ALL (rest));
    WHILE cardinality(rest) > 0 LOOP
        WITH asked AS MATERIALIZED (
            SELECT a.*, r.paused, r.free, r.tokens, r.running, r.apart, r.opens,
                r.paused OR r.tokens = 0 OR (r.free = 0 AND NOT a.has_slot) AS closed
            FROM unnest(a_places, a_seqs, a_ids, a_gates, a_nths, a_slots) AS a (place, seq, id, gate, nth, has_slot)
            JOIN windlass.gates_rooms(now, all_gates) AS r ON r.gate = a.gate
            WHERE a.seq = ANY (rest)
        ), stops AS MATERIALIZED (
            SELECT DISTINCT ON (asked.seq) asked.seq, asked.gate, asked.has_slot,
                CASE WHEN asked.paused OR (asked.free = 0 AND NOT asked.has_slot) THEN NULL ELSE asked.opens END AS opens
            FROM asked WHERE asked.closed
            ORDER BY asked.seq, asked.nth
        ), ranked AS (
            SELECT asked.*,
                count(*) OVER (PARTITION BY asked.gate ORDER BY asked.place) AS of_all,
                count(*) FILTER (WHERE NOT asked.has_slot) OVER (PARTITION BY asked.gate ORDER BY asked.place) AS of_new
            FROM asked WHERE asked.seq NOT IN (SELECT stops.seq FROM stops)
        ), pass AS MATERIALIZED (
            SELECT ranked.seq FROM ranked
            GROUP BY ranked.seq
            HAVING bool_and((ranked.free IS NULL OR ranked.has_slot OR ranked.of_new <= ranked.free)
                AND (ranked.tokens IS NULL OR ranked.of_all <= ranked.tokens))
        ), taken AS (
            INSERT INTO windlass.slot (gate, id)
            SELECT asked.gate, asked.id FROM asked JOIN pass ON pass.seq = asked.seq
            WHERE asked.running IS NOT NULL AND NOT asked.has_slot
        ), spent AS (
            INSERT INTO windlass.bucket (gate, full_at)
            SELECT asked.gate, now + count(*) * min(asked.apart) FROM asked JOIN pass ON pass.seq = asked.seq
            WHERE asked.apart IS NOT NULL
            GROUP BY asked.gate
            ON CONFLICT (gate) DO UPDATE SET full_at = greatest(bucket.full_at, now) + excluded.full_at - now
        ), gone AS (
            DELETE FROM windlass.ready
            WHERE ready.queue = its_line AND ready.suspect = kind AND ready.priority BETWEEN 0 AND 9
                AND ready.seq = ANY (ARRAY(SELECT stops.seq FROM stops))
            RETURNING *
        ), put AS (
            INSERT INTO windlass.held
            SELECT stops.gate, queue, NOT stops.has_slot, priority, gone.seq, suspect, id, token, retries, crashes,
                max_crashes, updated_at, started_at, worker, progress, error
            FROM gone JOIN stops ON stops.seq = gone.seq
        ), lined AS (
            INSERT INTO windlass.line (gate, queue) SELECT DISTINCT stops.gate, its_line FROM stops
            ON CONFLICT DO NOTHING
        ), opening AS (
            INSERT INTO windlass.opening (queue, at, gate)
            SELECT DISTINCT its_line, stops.opens, stops.gate FROM stops WHERE stops.opens IS NOT NULL
            ON CONFLICT DO NOTHING
        )
        SELECT ARRAY(SELECT pass.seq FROM pass), ARRAY(SELECT stops.seq FROM stops) INTO going, now_stopped;
        passed := passed || going;
        stopped := stopped || now_stopped;
        rest := ARRAY(SELECT r FROM unnest(rest) AS r WHERE r <> ALL (going || now_stopped));
    END LOOP;
    IF cardinality(stopped) > 0 THEN
        PERFORM windlass.gates_pass_on(now,
            ARRAY(SELECT DISTINCT a.gate FROM unnest(a_seqs, a_gates) AS a (seq, gate) WHERE a.seq = ANY (stopped)));
    END IF;
END
$$;
