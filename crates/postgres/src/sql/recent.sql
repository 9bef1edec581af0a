-- What was due before this has been made ready by a claim that looked at everything, so that others need not step over
-- the rows it left behind.
CREATE OR REPLACE FUNCTION windlass.recent(at bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$ SELECT windlass.clock(at) - 30000000 $$;
