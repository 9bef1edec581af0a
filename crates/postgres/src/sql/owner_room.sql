-- How many jobs of an owner can come until `most` wait. Looks at no more than that many.
CREATE OR REPLACE FUNCTION windlass.owner_room(its_owner text, most bigint) RETURNS bigint
LANGUAGE sql STABLE
SET enable_seqscan = off SET jit = off AS $$
    SELECT most
        - (SELECT count(*) FROM (SELECT 1 FROM windlass.ready WHERE ready.owner = its_owner LIMIT most) AS ready)
        - (SELECT count(*) FROM (SELECT 1 FROM windlass.held WHERE held.owner = its_owner LIMIT most) AS held)
        - (SELECT count(*) FROM (SELECT 1 FROM windlass.scheduled WHERE scheduled.owner = its_owner LIMIT most) AS scheduled)
$$;
