-- extend: keeps leases that are good. ARGV of each: id, token, duration, report or ''.
-- Returns for each 1 kept, 2 kept and to be stopped, 0 lost.
local reports = {}

local function extend_one(id, token, duration, report)
    local job = find(id)
    if not job or job.token ~= token or job.status ~= IN_PROGRESS or job.at <= now then
        return 0
    end
    job.at = now + duration
    scored(leases_in, text(job.at), id)
    if report ~= '' then
        job.updated = now
        scored(reports, id, report)
    end
    touch(job)
    return 1 + job.cancel
end

local function extend_all(number)
    local answers = {}
    for place = 1, number do
        answers[place] = extend_one(take(), tonumber(take()), tonumber(take()), take())
    end
    write('HSET', PROGRESS, reports)
    return answers
end
