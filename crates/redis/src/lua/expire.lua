-- expire: what comes of a look at jobs. ARGV: the status of those that fail; of each id, when to look again or '', error or ''.
-- Those with an error fail if they still wait; then nobody looks again. Returns how many failed.
local failed, expired, errors = tonumber(take()), 0, {}

local function expire(id, error)
    local job = find(id)
    if not job or job.status ~= QUEUED and job.status ~= SCHEDULED then
        return false
    end
    leave(job)
    enter(job, failed)
    gates.withdraw(id)
    turns.withdraw(job, firsts[id])
    scored(errors, id, error)
    -- The next one may stand in the same block.
    flush_jobs()
    expired = expired + 1
    return true
end

while ARGV[cursor + 1] do
    local id, later, error = take(), take(), take()
    if error ~= '' and expire(id, error) or later == '' then
        redis.call('ZREM', EXPIRING, id)
    else
        redis.call('ZADD', EXPIRING, later, id)
    end
end
write('HSET', ERROR, errors)
announce()
return expired
