-- import: keeps jobs as another store kept them, those whose ids are new. ARGV: how many; of each its id, what was submitted,
-- its state (its token and its number mean nothing here), its error, progress and history, each or ''. Returns for each 1 where it was kept, 0 where its id is taken.
local function keep_some(key, id, record)
    if record ~= '' then
        redis.call('HSET', key, id, record)
    end
end

local kept_or_not = {}
for place = 1, tonumber(take()) do
    local id, submitted, state = take(), take(), take()
    local error, progress, attempts = take(), take(), take()
    kept_or_not[place] = 0
    if not find(id) then
        kept_or_not[place] = 1
        local job = decode(id, state)
        local last, apart = numbers(1)
        job.token, job.seq = math.max(now, 0), last + apart
        kept[id], known[id] = state, job
        redis.call('HSET', JOB, id, submitted)
        redis.call('ZADD', ALL, text(job.seq), id)
        keep_some(ERROR, id, error)
        keep_some(PROGRESS, id, progress)
        keep_some(ATTEMPTS, id, attempts)
        stand(job)
    end
end
flush_jobs()
announce()
return kept_or_not
