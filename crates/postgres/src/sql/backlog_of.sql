-- How many jobs may wait in a queue, where whoever submits says the same of all queues, and whether one of them makes room for a
-- new one. NULL stands for any number.
CREATE OR REPLACE FUNCTION windlass.backlog_of(its_queue text, of_all bigint, OUT most bigint, OUT drops boolean)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off AS $$
BEGIN
    SELECT least(of_all, rule.waiting), rule.drops INTO most, drops
    FROM windlass.rule WHERE rule.gate = 'queue:' || its_queue AND rule.waiting IS NOT NULL;
    IF NOT FOUND THEN
        most := of_all;
        drops := false;
    END IF;
END
$$;
