-- settle: ends attempts whose leases are good.
-- ARGV of each: id, token, event, delay, error or '', result or ''. Then how many jobs they emitted, and of each the
-- place of its settlement and what submit takes.
-- Returns for each the status where it stands now, the same negated where this lease settled it before, 0 where the
-- lease was lost.
local SETTLE_FIELDS = 6

local results, errors, cleared = {}, {}, {}

local function note(job, ending, error, result)
    if ending.outcome then
        remember(job, ending.outcome, ending.fails and error or '')
    end
    if ending.fails then
        scored(errors, job.id, error)
    elseif ending.clears then
        named(cleared, job.id)
        if result ~= '' then
            scored(results, job.id, result)
        end
    end
end

local function settle_one(id, token, event, delay, error, result)
    local job = known[id]
    if not job or job.token ~= token then
        return 0
    elseif job.status ~= IN_PROGRESS then
        return -job.status
    elseif job.at <= now then
        return 0
    end
    if job.cancel == 1 then
        event = UNDER_CANCEL[event]
    end
    local ending = ENDINGS[event]
    note(job, ending, error, result)
    job.retries = job.retries + ending.retries
    leave(job)
    enter(job, ending.status, ending.status == SCHEDULED and now + delay or nil)
    return job.status
end

local function settle_all(number)
    local ids = {}
    for place = 1, number do
        ids[place] = ARGV[cursor + 1 + (place - 1) * SETTLE_FIELDS]
    end
    fetch(ids)
    local fates = {}
    for place = 1, number do
        local id, token, event, delay, error, result = unpack(ARGV, cursor + 1, cursor + SETTLE_FIELDS)
        cursor = cursor + SETTLE_FIELDS
        fates[place] = settle_one(id, tonumber(token), event, delay, error, result)
    end
    write('HSET', RESULT, results)
    write('HSET', ERROR, errors)
    if redis.call('EXISTS', ERROR) == 1 then
        write('HDEL', ERROR, cleared)
    end
    return fates
end

-- Emitted jobs appear if and only if the completion that emitted them was accepted.
local function submit_emitted(number, fates)
    local jobs = {}
    for _ = 1, number do
        local parent, job = tonumber(take()), read_new()
        if fates[parent] == ENDINGS.Complete.status then
            find(job.id)
            jobs[#jobs + 1] = job
        end
    end
    submit(jobs, nil, true)
end
