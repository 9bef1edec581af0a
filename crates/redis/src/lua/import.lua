-- import: keeps jobs as another store kept them, those whose ids are new. ARGV: how many; of each its id, what was submitted,
-- priority, when it was created, its state (in which the token means nothing here), its error, progress and history, each or
-- ''. Returns for each 1 where it was kept, 0 where its id is taken.
local function keep_some(key, id, record)
    if record ~= '' then
        redis.call('HSET', key, id, record)
    end
end

local function keep_job(id, submitted, priority, created, state)
    local status, _, at = unpack_struct('<Bdd', state)
    local number, short, rest = numbers(1) + APART, submitted, nil
    if #submitted >= LONG_FROM then
        short, rest = cut(submitted)
        redis.call('HSET', LONG, id, rest)
    end
    local first = pack_struct('<BdBdd', status, at, priority, number, created) .. short
    redis.call('HSET', JOB, id, first)
    redis.call('ZADD', ALL, text(number), id)
    kept[id], firsts[id] = state, first
    local job = find(id)
    job.token = math.max(now, 0)
    stand(job)
end

local kept_or_not = {}
for place = 1, tonumber(take()) do
    local id, submitted, priority, created, state = take(), take(), tonumber(take()), tonumber(take()), take()
    local error, progress, attempts = take(), take(), take()
    kept_or_not[place] = 0
    if not find(id) then
        kept_or_not[place] = 1
        keep_job(id, submitted, priority, created, state)
        keep_some(ERROR, id, error)
        keep_some(PROGRESS, id, progress)
        keep_some(ATTEMPTS, id, attempts)
    end
end
flush_jobs()
announce()
return kept_or_not
