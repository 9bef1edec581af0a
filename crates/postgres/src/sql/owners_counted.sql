-- Whether it is said of some owner how many jobs may wait, so that those that wait are marked with whose they are.
CREATE OR REPLACE FUNCTION windlass.owners_counted() RETURNS boolean
LANGUAGE sql STABLE
SET enable_seqscan = off SET jit = off AS $$
    SELECT EXISTS (SELECT 1 FROM windlass.rule WHERE rule.gate >= 'owner' AND rule.gate < 'owner~' AND rule.waiting IS NOT NULL)
$$;
