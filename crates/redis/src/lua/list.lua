-- list: jobs in order of acceptance. ARGV: the number to begin after, jobs at most, jobs to look at, queue, name, status
-- and owner, each or ''. Returns the number to go on after, or -1 at the end, and the jobs.
local after, most, looks = tonumber(take()), tonumber(take()), tonumber(take())
local queue, name, status, owner = take(), take(), tonumber(take()), take()

local function wanted(job)
    local _, its_queue, its_name, its_owner = unpack_struct('<Isss', job.fixed)
    return (queue == '' or queue == its_queue) and (name == '' or name == its_name)
        and (not status or status == job.status) and (owner == '' or owner == its_owner)
end

local jobs = {}
while #jobs < most and looks > 0 do
    local some = math.min(looks, 100)
    local ids = redis.call('ZRANGE', ALL, '(' .. text(after), '+inf', 'BYSCORE', 'LIMIT', 0, some)
    fetch(ids)
    for _, id in ipairs(ids) do
        if #jobs == most then
            return { after, jobs }
        end
        after = find(id).seq
        if wanted(known[id]) then
            jobs[#jobs + 1] = whole(id, kept[id])
        end
    end
    if #ids < some then
        return { -1, jobs }
    end
    looks = looks - some
end
return { after, jobs }
