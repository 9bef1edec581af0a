-- Locks the keys of unique jobs until the transaction ends, in one order, so that no two wait for each other. `uniques` is as
-- submit_unique takes it. A turn that submits and does more begins with this, before it settles and whatever its rules lock: whoever
-- takes the place of a running job waits for those that settle that, which must not wait for its key then.
CREATE OR REPLACE FUNCTION windlass.keys_enter(uniques text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    line text;
BEGIN
    -- One that is replaced leaves its gates, and what ends does. First of all, so that no two wait for each other.
    PERFORM windlass.gates_enter();
    FOR line IN SELECT DISTINCT u::jsonb ->> 'key' AS key FROM unnest(uniques) AS u WHERE u::jsonb ? 'key' ORDER BY key LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended('windlass.key ' || line, 0));
    END LOOP;
END
$$;
