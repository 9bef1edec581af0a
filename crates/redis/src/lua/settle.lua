-- settle: ends attempts whose leases are good.
-- ARGV of each: id, token, event, delay, error or '', result or ''. Then how many groups of jobs they emitted, and of
-- each the place of its settlement and what submit takes.
-- Returns for each the status where it stands now, the same negated where this lease settled it before, 0 where the
-- lease was lost.
local SETTLE_FIELDS = 6

local results, errors, cleared = {}, {}, {}

-- What a completion writes over where the job stood: changed now, and due no more.
local COMPLETE = ENDINGS.Complete.status
local completed_now = pack_struct('<dd', now, 0)

local function note(job, ending, error)
    if ending.outcome then
        remember(job, ending.outcome, ending.fails and error or '')
    end
    if ending.fails then
        scored(errors, job.id, error)
    end
end

-- The common case, on the state as it is kept; a cancellation that was requested changes nothing about it.
local function complete(id, packed, result)
    rewrite(id, string.char(COMPLETE) .. sub(packed, 2, UPDATED - 1) .. completed_now .. sub(packed, STARTED))
    local queue = unpack_struct('s', packed, FIXED + 4)
    count(queue, IN_PROGRESS, -1)
    count(queue, COMPLETE, 1)
    named(leases_out, id)
    named(done_in, id)
    named(cleared, id)
    if result ~= '' then
        scored(results, id, result)
    end
    return COMPLETE
end

local function settle_one(id, token, event, delay, error, result)
    local packed = kept[id]
    if not packed then
        return 0
    end
    local status, its_token = unpack_struct('<Bxxxd', packed)
    if its_token ~= token then
        return 0
    elseif status ~= IN_PROGRESS then
        return -status
    elseif unpack_struct('<d', packed, UPDATED + 8) <= now then
        return 0
    elseif event == 'Complete' then
        return complete(id, packed, result)
    end
    local job = find(id)
    if job.cancel == 1 then
        event = UNDER_CANCEL[event]
    end
    local ending = ENDINGS[event]
    note(job, ending, error)
    job.retries = job.retries + ending.retries
    leave(job)
    enter(job, ending.status, ending.status == SCHEDULED and now + tonumber(delay) or nil)
    kept[id] = encode(job)
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
    for _ = 1, number do
        local parent, group = tonumber(take()), read_group()
        if fates[parent] == COMPLETE then
            submit_group(group, nil, true, {}, {})
        end
    end
end
