-- oldest: for how long the job of each queue that has been ready longest has waited. ARGV: how many jobs at the head of a line
-- are looked at, how many lines of jobs that are held; queues. Returns microseconds, or -1 where none is ready, of each.
local head, lines = tonumber(take()), tonumber(take())

local function earlier(one, other)
    return one and other and math.min(one, other) or one or other
end

-- Since when the one of these jobs that has been ready longest is. One that waits at a gate may have been canceled meanwhile.
local function ready_since(queue, ids)
    local since
    kept, firsts, known = {}, {}, {}
    fetch(ids)
    for _, id in ipairs(ids) do
        local job = find(id)
        if job and job.status == QUEUED and job.queue == queue then
            since = earlier(since, job.updated)
        end
    end
    return since
end

-- The same of all lines of a queue in a set, at most so many: members of a line begin alike, with as many bytes as `length`
-- says, and a number and ids follow. The first of a block stands for those that were submitted with it.
local function oldest_in(key, queue, most, length)
    local from, to = ready_range(queue)
    local since
    for _ = 1, most do
        local members = redis.call('ZRANGE', key, from, to, 'BYLEX', 'LIMIT', 0, head)
        if #members == 0 then
            break
        end
        local line, ids = sub(members[1], 1, length(members[1])), {}
        for _, member in ipairs(members) do
            if sub(member, 1, #line) == line then
                ids[#ids + 1] = sub(member, #line + 9, #line + 24)
            end
        end
        since = earlier(since, ready_since(queue, ids))
        from = '[' .. line .. '\255'
    end
    return since
end

-- Suspects or not, by priority.
local KINDS = 20

local waits = {}
while ARGV[cursor + 1] do
    local queue = take()
    local since = oldest_in(READY, queue, KINDS, function() return #queue + 3 end)
    since = earlier(since, oldest_in(HELD, queue, lines, function(member) return #member - 24 end))
    waits[#waits + 1] = since and math.max(now - since, 0) or -1
end
return waits
