-- Of ready jobs of a line, given in the order of a claim, those that a claim for some handlers may take: `room` at most. Jobs of other
-- handlers wait at the gates of those from now on, for somebody who serves them, and `left_here` says how many they were. Where one
-- of them hands room on to others of the line, as one that is stopped does, nobody behind the first of them is taken.
CREATE OR REPLACE FUNCTION windlass.gates_leave_to_others(
    now bigint, its_line text, handlers text[], room bigint, INOUT seqs bigint[], INOUT places tid[], OUT left_here integer
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = on SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    chosen bigint[] := seqs;
    others bigint[];
    gates text[];
    -- Where the first of the others stood.
    first bigint;
BEGIN
    SELECT array_agg(s.seq) FILTER (WHERE NOT s.is_served), min(s.nth) FILTER (WHERE NOT s.is_served),
        array_agg(DISTINCT s.keys) FILTER (WHERE NOT s.is_served)
    INTO others, first, gates
    FROM (
        SELECT c.seq, c.nth, job.keys, job.name = ANY (handlers) AS is_served
        FROM unnest(chosen) WITH ORDINALITY AS c (seq, nth)
        JOIN windlass.job ON job.seq = c.seq AND job.seq = ANY (chosen)
    ) AS s;
    left_here := coalesce(cardinality(others), 0);
    IF left_here > 0 THEN
        WITH gone AS (
            DELETE FROM windlass.ready
            WHERE ready.ctid = ANY (ARRAY(
                SELECT p.place FROM unnest(seqs, places) AS p (seq, place) JOIN unnest(others) AS o (seq) ON o.seq = p.seq))
            RETURNING *
        ), put AS (
            INSERT INTO windlass.held
            SELECT 'handler:' || job.name, gone.queue,
                (SELECT true FROM windlass.slot WHERE slot.gate = 'handler:' || job.name AND slot.id = gone.id) IS NOT TRUE,
                gone.priority, gone.seq, suspect, gone.id, token, retries, crashes, gone.max_crashes, updated_at, started_at,
                worker, progress, error, gone.owner
            FROM gone JOIN windlass.job ON job.seq = gone.seq AND job.seq = ANY (others)
            RETURNING held.gate
        ), lined AS (
            INSERT INTO windlass.line (gate, queue) SELECT DISTINCT put.gate, its_line FROM put
            ON CONFLICT DO NOTHING
        )
        -- At a moment that is over, and always the same: one look for however many wait.
        INSERT INTO windlass.opening (queue, at, gate) SELECT DISTINCT its_line, 0, put.gate FROM put
        ON CONFLICT DO NOTHING;
        INSERT INTO windlass.rule (gate, paused, in_order, tolerance, patience, record, one_by_one)
        VALUES ('', false, false, 0, 0, '', true)
        ON CONFLICT (gate) DO UPDATE SET one_by_one = true WHERE NOT rule.one_by_one;
        PERFORM set_config('windlass_turn.mode', 'serial', true);
        PERFORM set_config('windlass_turn.left', 'yes', true);
        gates := ARRAY(
            SELECT line.gate FROM windlass.line
            WHERE line.queue = its_line AND line.gate = ANY (
                ARRAY['*', 'queue:' || its_line] || string_to_array(array_to_string(gates, E'\n'), E'\n')));
        PERFORM windlass.gates_pass_on(now, gates);
        IF NOT EXISTS (
            SELECT 1 FROM windlass.opening AS o WHERE o.queue = its_line AND o.at <= now AND o.gate = ANY (gates))
        THEN
            first := NULL;
        END IF;
    END IF;
    SELECT coalesce(array_agg(s.seq ORDER BY s.nth), '{}'), coalesce(array_agg(s.place ORDER BY s.nth), '{}') INTO seqs, places
    FROM (
        SELECT p.seq, p.place, p.nth FROM unnest(seqs, places) WITH ORDINALITY AS p (seq, place, nth)
        WHERE others IS NULL OR p.seq <> ALL (others)
        ORDER BY p.nth LIMIT room
    ) AS s
    WHERE first IS NULL OR s.nth < first;
    -- Whoever is not taken, though chosen, is in its line again.
    PERFORM windlass.turns_line_up(ARRAY(
        SELECT c.seq FROM unnest(chosen) AS c (seq) WHERE c.seq <> ALL (seqs) AND (others IS NULL OR c.seq <> ALL (others))));
END
$$;
