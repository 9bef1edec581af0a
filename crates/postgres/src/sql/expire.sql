-- What comes of a look at jobs: each note goes, and there is a new one where `laters` has a moment. Those with an error fail, with
-- that status, if they still wait; then they need no new note. Answers how many failed.
CREATE OR REPLACE FUNCTION windlass.expire(
    at bigint, looks bigint[], ids uuid[], laters bigint[], errors bytea[], failed smallint
) RETURNS integer
LANGUAGE plpgsql VOLATILE
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(at);
    its windlass.job%ROWTYPE;
    ended uuid[] := '{}';
BEGIN
    -- First of all, so that no two wait for each other.
    PERFORM windlass.gates_enter();
    DELETE FROM windlass.expiring USING unnest(looks, ids) AS seen (look_at, id)
    WHERE expiring.look_at = seen.look_at AND expiring.id = seen.id;
    FOR place IN 1..cardinality(ids) LOOP
        CONTINUE WHEN errors[place] IS NULL;
        SELECT * INTO its FROM windlass.job WHERE job.id = ids[place];
        IF FOUND AND windlass.withdraw(now, its.queue, its.priority, its.seq, failed, errors[place]) THEN
            ended := ended || ids[place];
        END IF;
    END LOOP;
    INSERT INTO windlass.expiring (look_at, id)
    SELECT noted.later, noted.id FROM unnest(laters, ids) AS noted (later, id)
    WHERE noted.later IS NOT NULL AND noted.id <> ALL (ended)
    ON CONFLICT DO NOTHING;
    RETURN cardinality(ended);
END
$$;
