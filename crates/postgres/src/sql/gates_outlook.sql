-- What a claim left where rules are set: whether somebody may start, and how long until somebody else may.
CREATE OR REPLACE FUNCTION windlass.gates_outlook(at bigint, lines text[], handlers text[], OUT more boolean, OUT next_due bigint)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    now bigint := windlass.clock(at);
    line text;
    its record;
    ready boolean;
    moments bigint[] := '{}';
    -- Behind those that the claim has taken there are no rows that are gone: most often somebody is found there.
    last bigint := nullif(current_setting('windlass_turn.last', true), '');
BEGIN
    more := false;
    FOREACH line IN ARRAY lines LOOP
        ready := last IS NOT NULL AND windlass.has_ready(line, array_fill(last + 1, ARRAY[10]))
            OR windlass.has_ready(line, array_fill(0, ARRAY[10])::bigint[]) OR windlass.turns_any(line);
        SELECT * INTO its FROM windlass.gates_room_for(now, line);
        more := more OR (ready AND its.room > 0)
            OR EXISTS (SELECT 1 FROM windlass.opening WHERE opening.queue = line AND opening.at <= now
                AND (handlers IS NULL OR windlass.gates_looks_at(handlers, opening.gate)));
        moments := moments
            || (SELECT min(s.due_at) FROM windlass.scheduled AS s WHERE s.queue = line)
            || CASE WHEN ready AND its.room = 0 THEN its.look END
            || (
                SELECT o.at + coalesce((SELECT r.patience FROM windlass.gates_rooms(now, ARRAY[o.gate]) AS r), 0)
                FROM windlass.opening AS o WHERE o.queue = line AND o.at > now
                    AND (handlers IS NULL OR windlass.gates_looks_at(handlers, o.gate))
                ORDER BY o.at LIMIT 1);
    END LOOP;
    SELECT greatest(min(m) - now, 0) INTO next_due FROM unnest(moments) AS m HAVING count(m) > 0;
    -- Who stopped early goes on at once.
    IF nullif(current_setting('windlass_turn.passed_over', true), '') IS NOT NULL THEN
        next_due := 0;
        PERFORM set_config('windlass_turn.passed_over', '', true);
    END IF;
END
$$;
