-- The first ready jobs of a line in which jobs rise by one level of priority in every span, as store::aging has it; no suspects.
CREATE OR REPLACE FUNCTION windlass.gates_by_age(its_line text, span bigint, room integer, OUT seqs bigint[], OUT places tid[])
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    SELECT coalesce(array_agg(first.seq ORDER BY first.due, first.level, first.seq), '{}'),
        array_agg(first.place ORDER BY first.due, first.level, first.seq)
    INTO seqs, places
    FROM (
        SELECT found.seq, found.place, level, job.created_at + level * span AS due
        FROM generate_series(0, 9) AS level, LATERAL (
            SELECT r.seq, r.ctid AS place FROM windlass.ready AS r
            WHERE r.queue = its_line AND NOT r.suspect AND r.priority = level
            ORDER BY r.seq LIMIT greatest(room, 0)
            FOR UPDATE SKIP LOCKED) AS found
        JOIN windlass.job ON job.seq = found.seq
        ORDER BY due, level, found.seq
        LIMIT greatest(room, 0)
    ) AS first;
END
$$;
