-- How many jobs of a line may pass its own gate and that of everything, and when to ask again if none may. Where jobs keep
-- their slots one of them may pass although there is no room.
CREATE OR REPLACE FUNCTION windlass.gates_room_for(now bigint, line text, OUT room bigint, OUT look bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT
        coalesce(min(CASE WHEN r.paused THEN 0 WHEN r.in_order THEN NULL ELSE least(r.free, r.tokens) END), 2147483647),
        CASE WHEN bool_and(r.tokens = 0 AND NOT r.paused AND r.free IS DISTINCT FROM 0)
                FILTER (WHERE r.paused OR r.free = 0 OR r.tokens = 0)
            THEN max(r.opens + r.patience) FILTER (WHERE r.tokens = 0) END
    INTO room, look
    FROM windlass.gates_rooms(now, ARRAY['*', 'queue:' || line]) AS r;
END
$$;
