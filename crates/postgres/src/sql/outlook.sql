-- What a claim left: whether its lines have ready jobs, how long until the next one is due, how long it took itself, in
-- microseconds, and whether there are rules. `froms` as for claim.
CREATE OR REPLACE FUNCTION windlass.outlook(at bigint, lines text[], froms bigint[], handlers text[] DEFAULT NULL) RETURNS TABLE (
    more boolean, next_due bigint, took bigint, ruled boolean
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    since bigint := CASE WHEN froms IS NOT NULL THEN windlass.recent(at) ELSE -1 END;
BEGIN
    IF windlass.gates_mode() <> 'free' THEN
        RETURN QUERY SELECT seen.more, seen.next_due, nullif(current_setting('windlass_turn.took', true), '')::bigint, true
        FROM windlass.gates_outlook(at, lines, handlers) AS seen;
        RETURN;
    END IF;
    more := false;
    ruled := false;
    FOR place IN 1..cardinality(lines) LOOP
        EXIT WHEN more;
        more := windlass.has_ready(lines[place], coalesce(froms[place * 10 - 9:place * 10], array_fill(0, ARRAY[10])::bigint[]));
    END LOOP;
    SELECT greatest(min(first.due_at) - windlass.clock(at), 0) INTO next_due
    FROM unnest(lines) AS line, LATERAL (
        SELECT scheduled.due_at FROM windlass.scheduled
        WHERE scheduled.queue = line AND scheduled.due_at > since
        ORDER BY scheduled.due_at LIMIT 1) AS first
    HAVING count(*) > 0;
    took := nullif(current_setting('windlass_turn.took', true), '')::bigint;
    RETURN NEXT;
END
$$;
