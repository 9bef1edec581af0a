-- The gates of a job, in the order in which it passes them.
CREATE OR REPLACE FUNCTION windlass.gates_of(line text, name text, keys text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['*', 'queue:' || line, 'handler:' || name]
        || coalesce((SELECT array_agg('key:' || key ORDER BY place)
            FROM unnest(string_to_array(keys, E'\n')) WITH ORDINALITY AS k (key, place)), '{}')
$$;
