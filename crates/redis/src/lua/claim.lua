-- claim: gives ready jobs to a worker, suspects first, then by queue in the order given, priority and number.
-- ARGV: jobs at most, suspects at most, lease, worker, queues.
-- Returns id, state and what was submitted of each job, no state where this is the first thing that happens to it; whether jobs are left; how long until one is due, or -1.
local PROMOTED_MAX = 1000

-- Takes the first ids of a queue, or of one level of it, out of the line, at most so many, and writes the block anew that they do
-- not empty.
local function pop(queue, suspect, most, level)
    local from, to = ready_range(queue, suspect, level)
    local number, head = #queue + 4, #queue + 11
    local ids, ahead = {}, math.ceil(most / BLOCK)
    repeat
        local blocks = redis.call('ZRANGE', READY, from, to, 'BYLEX', 'LIMIT', 0, ahead)
        local last, rest
        for _, block in ipairs(blocks) do
            if #ids == most then
                break
            end
            local over = math.min(#block, head + 16 * (most - #ids))
            for place = head + 1, over, 16 do
                ids[#ids + 1] = sub(block, place, place + 15)
            end
            last = block
            rest = over < #block and sub(block, 1, number - 1) .. pack_struct('>I8', unpack_struct('>I8', block, number)
                + (over - head) / 16 * APART) .. sub(block, over + 1)
        end
        if last then
            redis.call('ZREMRANGEBYLEX', READY, '[' .. blocks[1], '[' .. last)
        end
        if rest then
            redis.call('ZADD', READY, '0', rest)
        end
        ahead = 2 * ahead
    until #ids == most or 2 * #blocks < ahead
    return ids
end

-- Above the last one, and a moment like the first: a server that comes back without its last seconds counts from a state
-- that was before, and would count the same again.
local function next_token(packed)
    return math.max(unpack_struct('<d', packed, ATTEMPTED) + 1, now)
end

-- Starts jobs of a queue. Id, state and what was submitted of each go to `given`.
local function start(queue, ids, lease, worker, given)
    local ends, started, first = text(now + lease), 0, running_first(queue, now, lease, worker)
    local kept_jobs = kept_jobs_of(ids)
    for place, packed in ipairs(look_up('HMGET', STATE, ids)) do
        local id, kept_job = ids[place], kept_jobs[place]
        if kept_job then
            packed = packed and running(next_token(packed), now, lease, worker) .. sub(packed, COUNTED)
            scored(states, id, packed or first)
            scored(leases_in, ends, id)
            started = started + 1
            scored(given, id, packed)
            given[#given + 1] = kept_job
        end
    end
    if #ids > 0 and redis.call('EXISTS', PROGRESS) == 1 then
        write('HDEL', PROGRESS, ids)
    end
    count(queue, QUEUED, -started)
    count(queue, CLAIMED, started)
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
    local given, promoted = {}, 0
    flush_jobs()
    -- What was looked at before may stand elsewhere now.
    kept, firsts, known = {}, {}, {}
    for _, queue in ipairs(queues) do
        promoted = promoted + promote(queue, PROMOTED_MAX)
    end
    if promoted > 0 then
        flush_jobs()
    end
    for suspect = 1, 0, -1 do
        local all = suspect == 1 and math.min(suspects, most) or most
        for _, queue in ipairs(queues) do
            local left = all - #given / 3
            if left > 0 then
                start(queue, pop(queue, suspect, left), lease, worker, given)
            end
        end
    end
    local more, next_due = outlook(queues)
    return given, more, next_due
end
