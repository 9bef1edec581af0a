-- settle: ends attempts whose leases are good.
-- ARGV of each: id, token and how it ended, in one; then the result of a completion, if it has one, or of another ending its
-- event, delay and error or ''. Then how many groups of jobs they emitted, and of each the place of its settlement and what
-- submit takes.
-- Returns for each the status where it stands now, the same negated where this lease settled it before, 0 where the
-- lease was lost.

local settle_one, settle_all, submit_emitted
do
    -- How an attempt ended. In settle.rs too.
    local WITHOUT_RESULT, WITH_RESULT = 0, 1

    local results, errors, cleared = {}, {}, {}

    local COMPLETE = ENDINGS.Complete.status
    -- What a completion writes over where the job stood.
    local completed_now = pack_struct('<Bdd', COMPLETE, now, 0)
    -- By what stood there: the state that a completion makes of it, and how many have.
    local completed, completions = {}, {}

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
        local state = completed[packed]
        if not state then
            state = completed_now .. sub(packed, ATTEMPTED)
            completed[packed] = state
        end
        rewrite(id, state)
        completions[packed] = (completions[packed] or 0) + 1
        named(leases_out, id)
        named(done_in, id)
        named(cleared, id)
        if result then
            scored(results, id, result)
        end
        return COMPLETE
    end

    settle_one = function(id, token, result, told)
        local packed = kept[id]
        if not packed then
            return 0
        end
        local status, _, at, its_token = unpack_struct('<Bddd', packed)
        if its_token ~= token then
            return 0
        elseif status ~= IN_PROGRESS then
            return -status
        elseif at <= now then
            return 0
        elseif not told then
            return complete(id, packed, result)
        end
        local job = find(id)
        local ending = ENDINGS[job.cancel == 1 and UNDER_CANCEL[told.event] or told.event]
        note(job, ending, told.error)
        job.retries = job.retries + ending.retries
        leave(job)
        enter(job, ending.status, ending.status == SCHEDULED and now + tonumber(told.delay) or nil)
        kept[id] = encode(job)
        return job.status
    end

    settle_all = function(number)
        local ids, tokens, returned, told, fates, others = {}, {}, {}, {}, {}, {}
        for place = 1, number do
            local lease, ending = take(), nil
            ids[place] = sub(lease, 1, 16)
            tokens[place], ending = unpack_struct('<dB', lease, 17)
            if ending == WITH_RESULT then
                returned[place] = take()
            elseif ending ~= WITHOUT_RESULT then
                told[place] = { event = take(), delay = take(), error = take() }
                named(others, ids[place])
            end
        end
        fetch_into(kept, STATE, ids)
        fetch_into(firsts, JOB, others)
        for place, id in ipairs(ids) do
            fates[place] = settle_one(id, tokens[place], returned[place], told[place])
        end
        for packed, many in pairs(completions) do
            local queue = unpack_struct('s', packed, QUEUE)
            count(queue, IN_PROGRESS, -many)
            count(queue, COMPLETE, many)
        end
        write('HSET', RESULT, results)
        write('HSET', ERROR, errors)
        if redis.call('EXISTS', ERROR) == 1 then
            write('HDEL', ERROR, cleared)
        end
        return fates
    end

    -- Emitted jobs appear if and only if the completion that emitted them was accepted.
    submit_emitted = function(number, fates)
        for _ = 1, number do
            local parent, group = tonumber(take()), read_group()
            if fates[parent] == COMPLETE then
                submit_group(group, nil, true, {}, {})
            end
        end
    end
end
