-- extend: keeps leases that are good. ARGV of each: id, token, duration, report or ''.
-- Returns for each 1 kept, 2 kept and to be stopped, 0 lost.
local EXTEND_FIELDS = 4

local reports = {}

local function extend_one(id, token, duration, report)
    local packed = kept[id]
    if not packed then
        return 0
    end
    local status, updated, at, its_token = unpack_struct('<Bddd', packed)
    if its_token ~= token or status ~= IN_PROGRESS or at <= now then
        return 0
    end
    at = now + duration
    scored(leases_in, text(at), id)
    if report ~= '' then
        updated = now
        scored(reports, id, report)
    end
    rewrite(id, pack_struct('<Bdd', status, updated, at) .. sub(packed, ATTEMPTED))
    return 1 + string.byte(packed, CANCEL_REQUESTED)
end

local function extend_all(number)
    local ids, answers = {}, {}
    for place = 1, number do
        ids[place] = ARGV[cursor + 1 + (place - 1) * EXTEND_FIELDS]
    end
    fetch_into(kept, STATE, ids)
    for place = 1, number do
        answers[place] = extend_one(take(), tonumber(take()), tonumber(take()), take())
    end
    write('HSET', PROGRESS, reports)
    return answers
end
