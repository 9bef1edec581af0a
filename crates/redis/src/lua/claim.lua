-- claim: gives ready jobs to a worker, suspects first, then by queue in the order given, priority and number.
-- ARGV: jobs at most, suspects at most, lease, worker, queues.
-- Returns id, state and what was submitted of each job; whether jobs are left; how long until one is due, or -1.
local PROMOTED_MAX = 1000

-- Takes the first of a queue out of the line.
local function pop(queue, suspect, most)
    local from, to = ready_range(queue, suspect)
    local members = redis.call('ZRANGE', READY, from, to, 'BYLEX', 'LIMIT', 0, most)
    if #members > 0 then
        redis.call('ZREMRANGEBYLEX', READY, '[' .. members[1], '[' .. members[#members])
    end
    return members
end

-- Starts jobs of a queue on their states as they are kept; each gets the next token. What the worker is told goes to
-- `given`.
local function start(queue, members, lease, worker, given)
    local ids, before, started = {}, #given, pack_struct('<dddc16', now, now + lease, now, worker)
    for place, member in ipairs(members) do
        ids[place] = sub(member, -16)
    end
    fetch(ids)
    local ends = text(now + lease)
    for _, id in ipairs(ids) do
        local packed = kept[id]
        if packed then
            local token = pack_struct('<d', unpack_struct('<d', packed, TOKEN) + 1)
            rewrite(id, string.char(CLAIMED) .. sub(packed, 2, TOKEN - 1) .. token .. sub(packed, NUMBER, UPDATED - 1)
                .. started .. sub(packed, FIXED))
            scored(leases_in, ends, id)
            named(given, id)
        end
    end
    count(queue, QUEUED, before - #given)
    count(queue, CLAIMED, #given - before)
end

local function given_out(ids)
    local answer = {}
    for first = 1, #ids, CHUNK do
        local last = math.min(first + CHUNK - 1, #ids)
        local submitted = redis.call('HMGET', JOB, unpack(ids, first, last))
        for place = first, last do
            named(answer, ids[place])
            named(answer, kept[ids[place]])
            named(answer, submitted[place - first + 1])
        end
    end
    if redis.call('EXISTS', PROGRESS) == 1 then
        write('HDEL', PROGRESS, ids)
    end
    return answer
end

local function outlook(queues)
    local more, next_due = 0, -1
    for _, queue in ipairs(queues) do
        if more == 0 and any_ready(queue) then
            more = 1
        end
        local due = earliest_due(queue)
        if due and (next_due < 0 or math.max(due - now, 0) < next_due) then
            next_due = math.max(due - now, 0)
        end
    end
    return more, next_due
end

local function claim(most, suspects, lease, worker, queues)
    local ids, promoted = {}, 0
    flush_jobs()
    for _, queue in ipairs(queues) do
        promoted = promoted + promote(queue, PROMOTED_MAX)
    end
    if promoted > 0 then
        flush_jobs()
    end
    for suspect = 1, 0, -1 do
        local all = suspect == 1 and math.min(suspects, most) or most
        for _, queue in ipairs(queues) do
            if #ids < all then
                start(queue, pop(queue, suspect, all - #ids), lease, worker, ids)
            end
        end
    end
    local more, next_due = outlook(queues)
    return given_out(ids), more, next_due
end
