-- Notes when to look at jobs that expire: so long after now or at a moment, whatever is first.
CREATE OR REPLACE FUNCTION windlass.expiring_note(at bigint, ids uuid[], spans bigint[], moments bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    now bigint := windlass.clock(at);
BEGIN
    INSERT INTO windlass.expiring (look_at, id)
    SELECT least(now + noted.span, noted.moment), noted.id FROM unnest(ids, spans, moments) AS noted (id, span, moment)
    ON CONFLICT DO NOTHING;
END
$$;
