-- Notes, until the transaction ends, that a line got a ready job or one due at `due`: see announce.
CREATE OR REPLACE FUNCTION windlass.touch(line text, due bigint) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT set_config('windlass_turn.touched',
        coalesce(current_setting('windlass_turn.touched', true), '') || line || '=' || coalesce(due::text, '') || ';', true)
$$;
