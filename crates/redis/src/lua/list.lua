-- list: jobs in order of acceptance. ARGV: the number to begin after, jobs at most, jobs to look at, queue, name, status
-- and owner, each or ''. Returns the number to go on after, or -1 at the end, and the jobs.
local BLOCKS = 16

local after, most, looks = tonumber(take()), tonumber(take()), tonumber(take())
local queue, name, status, owner = take(), take(), tonumber(take()), take()

local function wanted(job)
    return (queue == '' or queue == job.queue) and (name == '' or name == job.name)
        and (not status or status == job.status) and (owner == '' or owner == job.owner)
end

-- The ids of a block whose numbers are beyond `after`, and the number of the first of them.
local function rest_of(ids, first)
    local passed = after < first and 0 or math.min(math.floor((after - first) / APART) + 1, size_of(ids))
    local rest = {}
    for place = passed + 1, size_of(ids) do
        rest[#rest + 1] = sub(ids, 16 * place - 15, 16 * place)
    end
    return rest, first + passed * APART
end

local jobs = {}

-- Looks at a block's jobs. Whether there is room for more afterwards.
local function look_at(block, first)
    local ids, number = rest_of(block, first)
    fetch(ids)
    for _, id in ipairs(ids) do
        if #jobs == most or looks == 0 then
            return false
        end
        local job = find(id)
        -- One that was removed and submitted anew stands in another block too.
        if job and job.seq == number and wanted(job) then
            jobs[#jobs + 1] = whole(id, kept[id])
        end
        after, looks, number = number, looks - 1, number + APART
    end
    return true
end

local from = block_of(after)
from = from and text(from) or '-inf'
repeat
    local blocks = redis.call('ZRANGE', ALL, from, '+inf', 'BYSCORE', 'LIMIT', 0, BLOCKS, 'WITHSCORES')
    for place = 1, #blocks, 2 do
        if not look_at(blocks[place], tonumber(blocks[place + 1])) then
            return { after, jobs }
        end
        from = '(' .. blocks[place + 1]
    end
until #blocks < 2 * BLOCKS
return { -1, jobs }
