-- Asks what turns ask that go by rules, of a line that nobody has, for one of the modes of gates_mode. A session plans a statement when
-- it meets it first, which takes milliseconds for some of these: before the lock that all such turns wait for, and not behind it.
-- Whoever asks may have turned kinds of joins off that these need.
CREATE OR REPLACE FUNCTION windlass.gates_warm(mode text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_nestloop = on SET enable_hashjoin = on SET enable_mergejoin = on SET enable_seqscan = on
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now bigint := windlass.clock(NULL);
    nobody text[] := ARRAY[''];
BEGIN
    PERFORM windlass.gates_fewer(now, '{}', '{}');
    IF mode = 'serial' THEN
        PERFORM windlass.gates_may_find(now, nobody);
        PERFORM windlass.promote(now, nobody, 1, NULL);
        PERFORM windlass.settle(now, 1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
            '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', NULL);
        PERFORM windlass.gates_leave(now, '{}', '{}', '{}');
        PERFORM windlass.gates_open(now, '{}');
        -- Somebody of that line waits for the lock, and finds a gate open.
        INSERT INTO windlass.opening (queue, at, gate) VALUES ('', -pg_backend_pid(), '') ON CONFLICT DO NOTHING;
        PERFORM windlass.gates_pass(now, '', ARRAY[-1]::bigint[], ARRAY[]::tid[], 1);
        PERFORM windlass.gates_pass_all(now, '{}', '{}', '{}');
    END IF;
    PERFORM count(*) FROM windlass.gates_claim(now, nobody, 1, 1, 0, NULL);
    PERFORM windlass.gates_outlook(now, nobody, NULL);
END
$$;
