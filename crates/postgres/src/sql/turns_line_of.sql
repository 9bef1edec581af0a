-- The line that a job waits in for its turn; NULL where its queue is not shared by a kind of key that it has.
CREATE OR REPLACE FUNCTION windlass.turns_line_of(its_queue text, its_keys text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind text := (SELECT rule.shared_by FROM windlass.rule WHERE rule.gate = 'queue:' || its_queue);
BEGIN
    IF kind IS NULL OR its_keys IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT 'turn:' || substr(u.key, 5)
        FROM unnest(string_to_array(its_keys, E'\n')) WITH ORDINALITY AS u (key, nth)
        WHERE starts_with(u.key, 'key:' || kind || ':')
        ORDER BY u.nth LIMIT 1);
END
$$;
