-- A turn whose claim is for some handlers may leave jobs to others, which makes all go by what it leaves: it goes as if there were
-- rules. First of all, so that no two that know of none yet wait for each other.
CREATE OR REPLACE FUNCTION windlass.gates_enter_alone() RETURNS void
LANGUAGE sql VOLATILE AS $$
    -- "gates" in ASCII.
    SELECT pg_advisory_xact_lock(444315726195)
$$;
