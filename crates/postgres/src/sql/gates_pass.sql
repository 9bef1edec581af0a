-- Decides which of some ready jobs of a line, given in the order of a claim, pass all their gates, `room` at most, takes their slots
-- and tokens, and puts those that are stopped where they were. Decided in rounds: those who have room whoever goes before them pass, those
-- who have none now are stopped, and the rest are looked at again. One that is stopped hands its room at other gates on to
-- whoever waits there: nobody behind it passes, but is left where it was, in neither list, until those have been taken back.
CREATE OR REPLACE FUNCTION windlass.gates_pass(
    now bigint, its_line text, seqs bigint[], places tid[], room integer, OUT passed bigint[], OUT stopped bigint[]
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_nestloop = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    rest bigint[] := seqs;
    -- Gates that all of them have, and whether there are rules for gates that each has by itself.
    common text[];
    of_handlers boolean;
    of_keys boolean;
    -- What is asked, a list per column: job after job, gate after gate.
    a_places bigint[];
    a_seqs bigint[];
    a_ids uuid[];
    a_gates text[];
    a_nths bigint[];
    a_slots boolean[];
    going bigint[];
    now_stopped bigint[];
    -- Gates where some of the line wait, and the first place behind which nobody passes for them.
    waited text[];
    behind bigint;
    -- The place of the first for which there is no room, whatever its gates say.
    over bigint;
BEGIN
    passed := '{}';
    stopped := '{}';
    common := ARRAY(SELECT rule.gate FROM windlass.rule WHERE rule.gate IN ('*', 'queue:' || its_line)
        AND NOT windlass.gates_is_counted(rule.gate, rule.in_order) ORDER BY rule.gate);
    of_handlers := EXISTS (SELECT 1 FROM windlass.rule WHERE rule.gate >= 'handler:' AND rule.gate < 'handler;');
    of_keys := EXISTS (SELECT 1 FROM windlass.rule WHERE rule.gate >= 'key' AND rule.gate < 'key~');
    -- Where all rules hold for a line as a whole, whoever was chosen may pass.
    IF common = '{}' AND NOT of_handlers AND NOT of_keys THEN
        passed := seqs[1:room];
        RETURN;
    END IF;
    SELECT
        array_agg(a.place), array_agg(a.seq), array_agg(a.id), array_agg(a.gate), array_agg(a.nth),
        array_agg((SELECT true FROM windlass.slot WHERE slot.gate = a.gate AND slot.id = a.id) IS TRUE)
    INTO a_places, a_seqs, a_ids, a_gates, a_nths, a_slots
    FROM (
        SELECT s.place, s.seq, job.id, g.gate, g.nth
        FROM unnest(seqs) WITH ORDINALITY AS s (seq, place)
        JOIN windlass.job ON job.seq = s.seq AND job.seq = ANY (seqs)
        CROSS JOIN LATERAL unnest(
            common || CASE WHEN of_handlers THEN ARRAY['handler:' || job.name] END
            || CASE WHEN of_keys THEN string_to_array(job.keys, E'\n') END
        ) WITH ORDINALITY AS g (gate, nth)
    ) AS a;
    -- Whoever finds none of its gates closed may need room; those behind the last that gets some are not looked at.
    IF cardinality(seqs) > room THEN
        over := (
            SELECT s.place
            FROM unnest(seqs) WITH ORDINALITY AS s (seq, place)
            LEFT JOIN (
                SELECT DISTINCT a.seq
                FROM unnest(a_seqs, a_gates, a_slots) AS a (seq, gate, has_slot)
                JOIN windlass.gates_rooms(now, a_gates) AS r ON r.gate = a.gate
                WHERE r.paused OR r.tokens = 0 OR (r.free = 0 AND NOT a.has_slot)
            ) AS closed ON closed.seq = s.seq
            WHERE closed.seq IS NULL
            ORDER BY s.place OFFSET room LIMIT 1
        );
        SELECT array_agg(a.place), array_agg(a.seq), array_agg(a.id), array_agg(a.gate), array_agg(a.nth), array_agg(a.has_slot)
        INTO a_places, a_seqs, a_ids, a_gates, a_nths, a_slots
        FROM unnest(a_places, a_seqs, a_ids, a_gates, a_nths, a_slots) AS a (place, seq, id, gate, nth, has_slot)
        WHERE over IS NULL OR a.place < over;
        seqs := seqs[1:coalesce(over - 1, cardinality(seqs))];
        rest := seqs;
    END IF;
    -- Most often there is room for all of them.
    IF windlass.gates_pass_all(now, a_gates, a_ids, a_slots) THEN
        passed := seqs;
        RETURN;
    END IF;
    waited := ARRAY(SELECT DISTINCT line.gate FROM windlass.line WHERE line.queue = its_line AND line.gate = ANY (a_gates));
    WHILE cardinality(rest) > 0 LOOP
        WITH rooms AS MATERIALIZED (
            SELECT * FROM windlass.gates_rooms(now, a_gates)
        ), asked AS MATERIALIZED (
            SELECT a.*, r.paused, r.free, r.tokens, r.running, r.apart, r.opens,
                r.paused OR coalesce(r.tokens = 0, false) OR (coalesce(r.free = 0, false) AND NOT a.has_slot) AS closed,
                a.gate = ANY (waited) AS is_waited
            FROM unnest(a_places, a_seqs, a_ids, a_gates, a_nths, a_slots) AS a (place, seq, id, gate, nth, has_slot)
            JOIN rooms AS r ON r.gate = a.gate
            JOIN unnest(rest) AS t (seq) ON t.seq = a.seq
        ), stops AS MATERIALIZED (
            SELECT DISTINCT ON (asked.seq) asked.seq, asked.gate, asked.has_slot,
                CASE WHEN asked.paused OR (asked.free = 0 AND NOT asked.has_slot) THEN NULL ELSE asked.opens END AS opens
            FROM asked WHERE asked.closed
            ORDER BY asked.seq, asked.nth
        ), handed_on AS MATERIALIZED (
            SELECT min(asked.place) AS place FROM asked JOIN stops ON stops.seq = asked.seq
            WHERE asked.is_waited AND NOT asked.closed
        ), ranked AS (
            SELECT asked.*,
                count(*) OVER (PARTITION BY asked.gate ORDER BY asked.place) AS of_all,
                count(*) FILTER (WHERE NOT asked.has_slot) OVER (PARTITION BY asked.gate ORDER BY asked.place) AS of_new
            FROM asked LEFT JOIN stops ON stops.seq = asked.seq
            WHERE stops.seq IS NULL
        ), fitting AS (
            SELECT ranked.*, (ranked.free IS NULL OR ranked.has_slot OR ranked.of_new <= ranked.free)
                AND (ranked.tokens IS NULL OR ranked.of_all <= ranked.tokens) AS fits
            FROM ranked
        ), of_jobs AS MATERIALIZED (
            -- One that may yet be stopped may hand on room as well, at a gate other than the one that stops it.
            SELECT fitting.seq, min(fitting.place) AS place, bool_and(fitting.fits) AS all_fit,
                NOT bool_and(fitting.fits) AND (bool_or(fitting.is_waited AND fitting.fits)
                    OR bool_or(fitting.is_waited) AND count(*) FILTER (WHERE NOT fitting.fits) > 1) AS may_hand_on
            FROM fitting
            GROUP BY fitting.seq
        ), ends AS MATERIALIZED (
            SELECT coalesce(least(behind, (SELECT handed_on.place FROM handed_on)), cardinality(seqs) + 1) AS of_all,
                coalesce((SELECT min(of_jobs.place) FROM of_jobs WHERE of_jobs.may_hand_on), cardinality(seqs) + 1) AS of_round
        ), judged AS MATERIALIZED (
            SELECT of_jobs.seq, of_jobs.all_fit AND of_jobs.place < least(ends.of_all, ends.of_round) AS may_pass
            FROM of_jobs CROSS JOIN ends
            WHERE of_jobs.place < ends.of_all
        ), asks_nothing AS (
            SELECT s.seq, s.place < least(ends.of_all, ends.of_round) AS may_pass
            FROM unnest(seqs) WITH ORDINALITY AS s (seq, place)
            CROSS JOIN ends
            LEFT JOIN asked ON asked.seq = s.seq
            WHERE asked.seq IS NULL AND s.seq = ANY (rest) AND s.place < ends.of_all
        ), taken AS (
            INSERT INTO windlass.slot (gate, id)
            SELECT asked.gate, asked.id FROM asked JOIN judged ON judged.seq = asked.seq AND judged.may_pass
            WHERE asked.running IS NOT NULL AND NOT asked.has_slot
        ), spent AS (
            INSERT INTO windlass.bucket (gate, full_at)
            SELECT asked.gate, now + count(*) * min(asked.apart)
            FROM asked JOIN judged ON judged.seq = asked.seq AND judged.may_pass
            WHERE asked.apart IS NOT NULL
            GROUP BY asked.gate
            ON CONFLICT (gate) DO UPDATE SET full_at = greatest(bucket.full_at, now) + excluded.full_at - now
        ), gone AS (
            DELETE FROM windlass.ready
            WHERE ready.ctid = ANY (ARRAY(
                SELECT p.place FROM unnest(seqs, places) AS p (seq, place) JOIN stops ON stops.seq = p.seq))
            RETURNING *
        ), put AS (
            INSERT INTO windlass.held
            SELECT stops.gate, queue, NOT stops.has_slot, priority, gone.seq, suspect, id, token, retries, crashes,
                max_crashes, updated_at, started_at, worker, progress, error, owner
            FROM gone JOIN stops ON stops.seq = gone.seq
        ), lined AS (
            INSERT INTO windlass.line (gate, queue) SELECT DISTINCT stops.gate, its_line FROM stops
            ON CONFLICT DO NOTHING
        ), opening AS (
            INSERT INTO windlass.opening (queue, at, gate)
            SELECT DISTINCT its_line, stops.opens, stops.gate FROM stops WHERE stops.opens IS NOT NULL
            ON CONFLICT DO NOTHING
        )
        SELECT
            ARRAY(
                SELECT judged.seq FROM judged WHERE judged.may_pass
                UNION ALL SELECT asks_nothing.seq FROM asks_nothing WHERE asks_nothing.may_pass),
            ARRAY(SELECT stops.seq FROM stops),
            ARRAY(
                SELECT judged.seq FROM judged WHERE NOT judged.may_pass
                UNION ALL SELECT asks_nothing.seq FROM asks_nothing WHERE NOT asks_nothing.may_pass),
            nullif((SELECT ends.of_all FROM ends), cardinality(seqs) + 1)
        INTO going, now_stopped, rest, behind;
        passed := passed || going;
        stopped := stopped || now_stopped;
    END LOOP;
    IF cardinality(stopped) > 0 THEN
        PERFORM windlass.gates_pass_on(now,
            ARRAY(SELECT DISTINCT a.gate FROM unnest(a_seqs, a_gates) AS a (seq, gate)
                JOIN unnest(stopped) AS s (seq) ON s.seq = a.seq));
    END IF;
END
$$;
