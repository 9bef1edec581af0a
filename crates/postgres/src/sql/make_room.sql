-- Makes room for a new job in its queue and of its owner, where rules say how many may wait and that one makes room for another; where
-- one that it replaces leaves anyway, `leaves` and, from its queue, `leaves_queue`. Answers why there is none, -1 in the queue, -5 of
-- the owner, and then nobody has gone; or which went, of two that of the owner, if any had to.
CREATE OR REPLACE FUNCTION windlass.make_room(
    now bigint, its_owner text, its_queue text, of_all bigint, leaves boolean, leaves_queue boolean,
    OUT refused smallint, OUT went uuid
)
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off AS $$
DECLARE
    owner_most bigint;
    owner_drops boolean;
    most bigint;
    drops boolean;
    oldest uuid;
    its record;
    other uuid;
    is_full boolean;
    -- How many leave the queue.
    left_it integer;
BEGIN
    SELECT b.most, b.drops INTO owner_most, owner_drops FROM windlass.owner_backlog(its_owner) AS b;
    SELECT b.most, b.drops INTO most, drops FROM windlass.backlog_of(its_queue, of_all) AS b;
    LOOP
        left_it := leaves_queue::integer;
        oldest := NULL;
        -- Where one makes room for another, whoever leaves is the one that does.
        IF NOT (owner_drops AND leaves) AND windlass.owner_room(its_owner, owner_most + leaves::integer) <= 0 THEN
            refused := -5;
            IF NOT owner_drops THEN
                RETURN;
            END IF;
            SELECT first.* INTO its
            FROM (
                (SELECT r.id, r.queue, r.priority, r.seq FROM windlass.ready AS r WHERE r.owner = its_owner
                    ORDER BY r.priority DESC, r.seq LIMIT 1)
                UNION ALL
                (SELECT h.id, h.queue, h.priority, h.seq FROM windlass.held AS h WHERE h.owner = its_owner
                    ORDER BY h.priority DESC, h.seq LIMIT 1)
                UNION ALL
                (SELECT s.id, s.queue, s.priority, s.seq FROM windlass.scheduled AS s WHERE s.owner = its_owner
                    ORDER BY s.priority DESC, s.seq LIMIT 1)
            ) AS first
            ORDER BY first.priority DESC, first.seq LIMIT 1;
            IF NOT FOUND THEN
                RETURN;
            END IF;
            oldest := its.id;
            left_it := left_it + (its.queue = its_queue)::integer;
        END IF;
        is_full := NOT (drops AND left_it > 0) AND windlass.room(its_queue, most + left_it) <= 0;
        -- Nobody goes for a job that is refused after all.
        IF is_full AND (NOT drops OR windlass.room(its_queue, 1) > 0) THEN
            refused := -1;
            RETURN;
        END IF;
        refused := NULL;
        -- It may have become due since it was looked at.
        EXIT WHEN oldest IS NULL;
        EXIT WHEN windlass.withdraw(now, its.queue, its.priority, its.seq);
    END LOOP;
    IF is_full THEN
        other := windlass.backlog_drop(now, its_queue);
        refused := CASE WHEN other IS NULL THEN -1 END;
    END IF;
    went := coalesce(oldest, other);
END
$$;
