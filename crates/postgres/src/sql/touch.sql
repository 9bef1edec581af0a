-- Notes, until the transaction ends, that a line got a ready job, the first of them with the number `low`, or one due at
-- `due`: see announce.
CREATE OR REPLACE FUNCTION windlass.touch(line text, due bigint, low bigint) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT set_config('windlass_turn.touched',
        coalesce(current_setting('windlass_turn.touched', true), '') || line || '=' || coalesce(due::text, '') || '='
            || low || ';', true)
$$;
