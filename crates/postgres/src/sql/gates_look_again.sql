-- Takes those of a line back for whom there may be room now, from each gate as many as the claim may take. How many they were.
CREATE OR REPLACE FUNCTION windlass.gates_look_again(now bigint, its_line text, most integer, handlers text[] DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened text[];
    gates text[];
    rooms bigint[];
    moments bigint[];
    taken_back integer;
    seqs bigint[];
BEGIN
    WITH due AS (
        DELETE FROM windlass.opening WHERE opening.ctid = ANY (ARRAY(
            SELECT o.ctid FROM windlass.opening AS o WHERE o.queue = its_line AND o.at <= now
                AND (handlers IS NULL OR windlass.gates_looks_at(handlers, o.gate))
            ORDER BY o.at, o.gate LIMIT 1000))
        RETURNING opening.gate
    )
    SELECT array_agg(DISTINCT due.gate) INTO opened FROM due;
    IF opened IS NULL THEN
        RETURN 0;
    END IF;
    SELECT array_agg(all_of.gate), array_agg(all_of.room), array_agg(all_of.opens) INTO gates, rooms, moments
    FROM (
        SELECT
            o.gate,
            CASE WHEN r.gate IS NULL THEN most + 1
                WHEN r.paused THEN 0
                -- One that has its slot there already may be the first of them.
                ELSE least(greatest(coalesce(r.free, most + 1), CASE WHEN r.in_order THEN r.taken ELSE 0 END),
                    coalesce(r.tokens, most + 1), most + 1)
            END AS room,
            CASE WHEN r.paused OR (r.free = 0 AND NOT r.in_order) THEN NULL
                -- Later than now: those who came back have to pass before there is less room.
                ELSE CASE WHEN r.opens IS NOT NULL THEN greatest(r.opens, now + 1) END
            END AS opens
        FROM unnest(opened) AS o (gate)
        LEFT JOIN windlass.gates_rooms(now, opened) AS r ON r.gate = o.gate
    ) AS all_of;
    WITH back AS (
        DELETE FROM windlass.held WHERE held.ctid = ANY (ARRAY(
            SELECT first.ctid
            FROM unnest(gates, rooms) AS g (gate, room), LATERAL (
                SELECT h.ctid FROM windlass.held AS h WHERE h.gate = g.gate AND h.queue = its_line
                ORDER BY h.behind, h.priority, h.seq LIMIT least(g.room, greatest(most, 1))) AS first))
        RETURNING *
    ), queued AS (
        INSERT INTO windlass.ready
        SELECT queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, updated_at, started_at, worker,
            progress, error, owner
        FROM back
    )
    SELECT count(*), array_agg(back.seq) FILTER (WHERE NOT back.suspect) INTO taken_back, seqs FROM back;
    IF seqs IS NOT NULL THEN
        PERFORM windlass.turns_line_up(seqs);
    END IF;
    DELETE FROM windlass.line
    WHERE line.gate = ANY (gates) AND line.queue = its_line
        AND (SELECT 1 FROM windlass.held WHERE held.gate = line.gate AND held.queue = its_line LIMIT 1) IS NULL;
    INSERT INTO windlass.opening (queue, at, gate)
    SELECT its_line, CASE WHEN g.room > greatest(most, 1) THEN now ELSE g.opens END, g.gate
    FROM unnest(gates, rooms, moments) AS g (gate, room, opens)
    JOIN windlass.line ON line.gate = g.gate AND line.queue = its_line
    WHERE g.room > greatest(most, 1) OR g.opens IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN taken_back;
END
$$;
