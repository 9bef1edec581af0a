-- The next jobs of a shared queue, line by line: those with the earliest stamps, where a line's next start has the line's, and
-- each start moves it on by what it costs a line of its weight (start-time fair queueing, as store::turns has it). Those that
-- waited in lines are ready afterwards. Once may give fewer than there are, where lines are short; none when none wait.
CREATE OR REPLACE FUNCTION windlass.turns_choose(its_queue text, most integer, OUT seqs bigint[], OUT places tid[])
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    their_lines text[];
    their_seqs bigint[];
BEGIN
    seqs := '{}';
    WITH arrived AS (
        DELETE FROM windlass.arrival WHERE arrival.queue = its_queue RETURNING arrival.line
    )
    INSERT INTO windlass.turn (queue, line, stamp)
    SELECT DISTINCT its_queue, arrived.line,
        coalesce((SELECT t.stamp FROM windlass.turn AS t WHERE t.queue = its_queue ORDER BY t.stamp, t.line LIMIT 1), 0)
    FROM arrived
    ON CONFLICT DO NOTHING;
    IF (SELECT 1 FROM windlass.ready AS r WHERE r.queue = its_queue AND NOT r.suspect LIMIT 1) IS NOT NULL THEN
        INSERT INTO windlass.turn (queue, line, stamp)
        VALUES (its_queue, '',
            coalesce((SELECT t.stamp FROM windlass.turn AS t WHERE t.queue = its_queue ORDER BY t.stamp, t.line LIMIT 1), 0))
        ON CONFLICT DO NOTHING;
    END IF;

    LOOP
        WITH next AS MATERIALIZED (
            SELECT t.line, t.stamp, 1048576 / coalesce(own.weight, kind.weight, 1) AS cost
            FROM (
                SELECT turn.line, turn.stamp FROM windlass.turn WHERE turn.queue = its_queue
                ORDER BY turn.stamp, turn.line LIMIT most
            ) AS t
            LEFT JOIN windlass.rule AS own ON own.gate = 'key' || substr(t.line, 5)
            LEFT JOIN windlass.rule AS kind ON kind.gate = 'keys:' || split_part(t.line, ':', 2)
        ), bounds AS MATERIALIZED (
            SELECT max(next.stamp) AS last, sum(1048576 / next.cost) AS weights FROM next
        ), waiting AS (
            SELECT next.line, next.stamp, next.cost, its.seq, its.nth
            FROM next CROSS JOIN bounds CROSS JOIN LATERAL (
                SELECT first.seq, row_number() OVER () AS nth
                FROM (
                    SELECT h.seq FROM windlass.held AS h WHERE h.gate = next.line AND h.queue = its_queue
                    ORDER BY h.behind, h.priority, h.seq
                    LIMIT least(most, (bounds.last - next.stamp) / next.cost + most * (1048576 / next.cost) / bounds.weights + 1)
                ) AS first
            ) AS its
            WHERE next.line <> ''
            UNION ALL
            SELECT '', next.stamp, next.cost, its.seq, its.nth
            FROM next CROSS JOIN LATERAL (
                SELECT first.seq, row_number() OVER () AS nth
                FROM (
                    SELECT found.seq
                    FROM generate_series(0, 9) AS level, LATERAL (
                        SELECT r.seq FROM windlass.ready AS r
                        WHERE r.queue = its_queue AND NOT r.suspect AND r.priority = level
                        ORDER BY r.seq LIMIT most) AS found
                    LIMIT most
                ) AS first
            ) AS its
            WHERE next.line = ''
        )
        SELECT array_agg(w.line), array_agg(w.seq) INTO their_lines, their_seqs
        FROM (
            SELECT waiting.line, waiting.seq FROM waiting
            ORDER BY waiting.stamp + (waiting.nth - 1) * waiting.cost, waiting.line LIMIT most
        ) AS w;

        IF their_seqs IS NOT NULL THEN
            UPDATE windlass.turn SET stamp = turn.stamp + went.number * 1048576 / coalesce(own.weight, kind.weight, 1)
            FROM (SELECT u.line, count(*) AS number FROM unnest(their_lines) AS u (line) GROUP BY u.line) AS went
            LEFT JOIN windlass.rule AS own ON own.gate = 'key' || substr(went.line, 5)
            LEFT JOIN windlass.rule AS kind ON kind.gate = 'keys:' || split_part(went.line, ':', 2)
            WHERE turn.queue = its_queue AND turn.line = went.line;
            WITH back AS (
                DELETE FROM windlass.held USING unnest(their_lines, their_seqs) AS u (line, seq)
                WHERE u.line <> '' AND held.seq = u.seq
                RETURNING held.*
            )
            INSERT INTO windlass.ready
            SELECT queue, suspect, priority, seq, id, token, retries, crashes, max_crashes, updated_at, started_at, worker,
                progress, error, owner
            FROM back;
            SELECT coalesce(array_agg(r.seq ORDER BY u.nth), '{}'), array_agg(r.ctid ORDER BY u.nth) INTO seqs, places
            FROM unnest(their_seqs) WITH ORDINALITY AS u (seq, nth)
            JOIN windlass.job ON job.seq = u.seq
            JOIN windlass.ready AS r
                ON r.queue = its_queue AND NOT r.suspect AND r.priority = job.priority AND r.seq = u.seq;
        END IF;
        -- Lines in which nobody waits any more take no turns: those served just now, and those that were canceled.
        DELETE FROM windlass.turn
        WHERE turn.queue = its_queue AND turn.line = ANY (their_lines || ARRAY(
                SELECT t.line FROM windlass.turn AS t WHERE t.queue = its_queue ORDER BY t.stamp, t.line LIMIT most))
            AND CASE WHEN turn.line = ''
                THEN (
                    SELECT 1 FROM windlass.ready AS r
                    WHERE r.queue = its_queue AND NOT r.suspect AND r.seq <> ALL (seqs) LIMIT 1) IS NULL
                ELSE (SELECT 1 FROM windlass.held AS h WHERE h.gate = turn.line AND h.queue = its_queue LIMIT 1) IS NULL
            END;
        EXIT WHEN their_seqs IS NOT NULL OR NOT FOUND;
    END LOOP;
END
$$;
