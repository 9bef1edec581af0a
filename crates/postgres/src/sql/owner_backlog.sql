-- How many jobs of an owner may wait, and whether one of them makes room for a new one. NULL stands for any number.
CREATE OR REPLACE FUNCTION windlass.owner_backlog(its_owner text, OUT most bigint, OUT drops boolean)
LANGUAGE sql STABLE
SET enable_seqscan = off SET jit = off AS $$
    -- What is said of one owner comes before what is said of all.
    SELECT rule.waiting, rule.drops FROM windlass.rule
    WHERE rule.gate IN ('owner:' || its_owner, 'owners') AND rule.waiting IS NOT NULL AND its_owner IS NOT NULL
    ORDER BY rule.gate LIMIT 1
$$;
