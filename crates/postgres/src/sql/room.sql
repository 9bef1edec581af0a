-- How many jobs a line can take until it holds `most`. Looks at no more than that many.
CREATE OR REPLACE FUNCTION windlass.room(line text, most bigint) RETURNS bigint
LANGUAGE sql STABLE
SET enable_seqscan = off SET jit = off AS $$
    SELECT most
        - (SELECT count(*) FROM (SELECT 1 FROM windlass.ready WHERE ready.queue = line LIMIT most) AS ready)
        - (SELECT count(*) FROM (SELECT 1 FROM windlass.held WHERE held.queue = line LIMIT most) AS held)
        - (SELECT count(*) FROM (SELECT 1 FROM windlass.scheduled WHERE scheduled.queue = line LIMIT most) AS scheduled)
$$;
