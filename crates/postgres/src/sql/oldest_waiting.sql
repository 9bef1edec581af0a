-- For how long the job of each line that has been ready longest has waited, in microseconds, or NULL where none is ready. Of each
-- priority the first `head` jobs are looked at; those that are held stand in an index by that.
CREATE OR REPLACE FUNCTION windlass.oldest_waiting(at bigint, lines text[], head integer) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    since bigint[];
BEGIN
    since := ARRAY(
        SELECT least(
            (
                SELECT min(first.updated_at)
                FROM unnest(ARRAY[true, false]) AS kind, generate_series(0, 9) AS level, LATERAL (
                    SELECT r.updated_at FROM windlass.ready AS r
                    WHERE r.queue = line.queue AND r.suspect = kind AND r.priority = level
                    ORDER BY r.seq LIMIT head) AS first
            ),
            (SELECT h.updated_at FROM windlass.held AS h WHERE h.queue = line.queue ORDER BY h.updated_at LIMIT 1))
        FROM unnest(lines) WITH ORDINALITY AS line (queue, place)
        ORDER BY line.place);
    -- Read after them, so that nobody waits for less than nothing; a clock may go back all the same.
    RETURN ARRAY(
        SELECT CASE WHEN moment.micros IS NOT NULL THEN greatest(windlass.clock(at) - moment.micros, 0) END
        FROM unnest(since) WITH ORDINALITY AS moment (micros, place)
        ORDER BY moment.place);
END
$$;
