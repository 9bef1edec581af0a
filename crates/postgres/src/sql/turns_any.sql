-- Whether somebody may wait for a turn in a queue.
CREATE OR REPLACE FUNCTION windlass.turns_any(its_queue text) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off AS $$
BEGIN
    RETURN (SELECT 1 FROM windlass.turn WHERE turn.queue = its_queue LIMIT 1) IS NOT NULL
        OR (SELECT 1 FROM windlass.arrival WHERE arrival.queue = its_queue LIMIT 1) IS NOT NULL;
END
$$;
