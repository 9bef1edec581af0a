-- Cancels one job of a queue that waits, so that there is room for a new one: the oldest of the least urgent that are ready, or
-- where none is, one that waits at a gate, as a suspect or for its time. Answers which; nothing where none waits.
CREATE OR REPLACE FUNCTION windlass.backlog_drop(now bigint, its_queue text) RETURNS uuid
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    oldest record;
BEGIN
    LOOP
        SELECT found.* INTO oldest
        FROM generate_series(0, 9) AS step, LATERAL (
            SELECT r.id, r.priority, r.seq FROM windlass.ready AS r
            WHERE r.queue = its_queue AND NOT r.suspect AND r.priority = 9 - step
            ORDER BY r.seq LIMIT 1) AS found
        LIMIT 1;
        IF NOT FOUND THEN
            SELECT h.id, h.priority, h.seq INTO oldest FROM windlass.held AS h WHERE h.queue = its_queue LIMIT 1;
        END IF;
        IF NOT FOUND THEN
            SELECT r.id, r.priority, r.seq INTO oldest FROM windlass.ready AS r
            WHERE r.queue = its_queue AND r.suspect LIMIT 1;
        END IF;
        IF NOT FOUND THEN
            SELECT s.id, s.priority, s.seq INTO oldest FROM windlass.scheduled AS s
            WHERE s.queue = its_queue ORDER BY s.due_at DESC LIMIT 1;
        END IF;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        -- It may have begun to run since it was looked at.
        IF windlass.withdraw(now, its_queue, oldest.priority, oldest.seq) THEN
            RETURN oldest.id;
        END IF;
    END LOOP;
END
$$;
