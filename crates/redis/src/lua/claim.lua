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

local function start(members, lease, worker, started)
    local ids = {}
    for place, member in ipairs(members) do
        ids[place] = string.sub(member, -16)
    end
    fetch(ids)
    for _, id in ipairs(ids) do
        local job = known[id]
        if job then
            count(job.queue, QUEUED, -1)
            job.token, job.started, job.worker = job.token + 1, now, worker
            enter(job, CLAIMED, now + lease)
            named(started, id)
        end
    end
end

local function given_out(ids)
    local answer = {}
    for first = 1, #ids, CHUNK do
        local last = math.min(first + CHUNK - 1, #ids)
        local submitted = redis.call('HMGET', JOB, unpack(ids, first, last))
        for place = first, last do
            local job = known[ids[place]]
            job.packed = encode(job)
            named(answer, job.id)
            named(answer, job.packed)
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
    flush()
    for _, queue in ipairs(queues) do
        promoted = promoted + promote(queue, PROMOTED_MAX)
    end
    if promoted > 0 then
        flush()
    end
    for suspect = 1, 0, -1 do
        local all = suspect == 1 and math.min(suspects, most) or most
        for _, queue in ipairs(queues) do
            if #ids < all then
                start(pop(queue, suspect, all - #ids), lease, worker, ids)
            end
        end
    end
    local more, next_due = outlook(queues)
    return given_out(ids), more, next_due
end
