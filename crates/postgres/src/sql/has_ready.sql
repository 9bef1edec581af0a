-- Whether a line has a ready job: a suspect, or one of a priority that is not numbered below that priority's entry in
-- `froms`, under which there may be many rows that the vacuum has not removed yet. Values, not EXISTS, which the planner
-- may answer by reading the whole table.
CREATE OR REPLACE FUNCTION windlass.has_ready(line text, froms bigint[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT 1 FROM windlass.ready WHERE ready.queue = line AND ready.suspect LIMIT 1) IS NOT NULL
        OR (
            SELECT 1
            FROM generate_series(0, 9) AS level, LATERAL (
                SELECT 1 FROM windlass.ready
                WHERE ready.queue = line AND NOT ready.suspect AND ready.priority = level
                    AND ready.seq >= froms[level + 1]
                LIMIT 1) AS one
            LIMIT 1) IS NOT NULL;
END
$$;
