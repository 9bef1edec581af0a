-- The gates of a job, in the order in which it passes them. Its keys are kept as gates, one a line.
CREATE OR REPLACE FUNCTION windlass.gates_of(line text, name text, keys text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['*', 'queue:' || line, 'handler:' || name] || string_to_array(keys, E'\n')
$$;
