-- How many more jobs may wait of some owners, of those of whom that is said. Submissions that could give one too many between them go
-- one after the other until they end; far from the limit nobody waits.
CREATE OR REPLACE FUNCTION windlass.owners_rooms(owners text[]) RETURNS TABLE (owner text, room bigint)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET jit = off AS $$
DECLARE
    most bigint;
BEGIN
    IF NOT windlass.owners_counted() THEN
        RETURN;
    END IF;
    -- In one order, so that no two wait for each other.
    FOR owner IN SELECT DISTINCT o FROM unnest(owners) AS o WHERE o IS NOT NULL ORDER BY o LOOP
        most := (SELECT b.most FROM windlass.owner_backlog(owner) AS b);
        CONTINUE WHEN most IS NULL;
        room := windlass.owner_room(owner, most);
        IF room < 4096 THEN
            PERFORM pg_advisory_xact_lock(hashtextextended('windlass.owner:' || owner, 0));
            room := windlass.owner_room(owner, most);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
