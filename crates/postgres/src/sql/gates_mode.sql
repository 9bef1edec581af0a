-- How turns go, which stays so until the transaction ends, since whoever changes it waits for all that have asked:
--
-- * `free`, where there are no rules: side by side.
-- * `counted`, where rules say no more than how many jobs of a queue or of all start: side by side, but for their claims.
-- * `serial`, where jobs wait at gates of their own: one after the other.
CREATE OR REPLACE FUNCTION windlass.gates_mode() RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    mode text := nullif(current_setting('windlass_turn.mode', true), '');
    one_by_one boolean;
BEGIN
    IF mode IS NOT NULL THEN
        RETURN mode;
    END IF;
    -- "modes" in ASCII. Not by PERFORM, which costs as much as a query.
    IF pg_advisory_xact_lock_shared(470020285811) IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT rule.one_by_one INTO one_by_one FROM windlass.rule WHERE rule.gate = '';
    mode := CASE WHEN one_by_one THEN 'serial' WHEN NOT one_by_one THEN 'counted' ELSE 'free' END;
    RETURN set_config('windlass_turn.mode', mode, true);
END
$$;
