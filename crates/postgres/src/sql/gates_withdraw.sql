-- A job that waited has been canceled: what it had and was to have is for others.
CREATE OR REPLACE FUNCTION windlass.gates_withdraw(now bigint, its_seq bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    its windlass.job%ROWTYPE;
BEGIN
    IF windlass.gates_enter() THEN
        SELECT * INTO its FROM windlass.job WHERE job.seq = its_seq;
        PERFORM windlass.gates_leave(now, ARRAY[its.id], ARRAY[true]);
        PERFORM windlass.gates_pass_on(now, windlass.gates_of(its.queue, its.name, its.keys));
    END IF;
END
$$;
