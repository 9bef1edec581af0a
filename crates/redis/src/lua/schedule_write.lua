-- schedule_write: writes a schedule's next state and submits jobs with it, if its revision is the expected one; where none is
-- expected, if there is no schedule of this name. ARGV: name, revision or '', when it is due or '', record, how many groups
-- of jobs and they. Returns the new revision, or nothing when somebody was faster.
local name, expected, due, record = take(), tonumber(take()), tonumber(take()), take()
local former = redis.call('HGET', SCHEDULES, name)
former = former and unpack_struct('<d', former) or nil
if former ~= expected then
    return false
end
local revision = math.max(now, former and former + 1 or 1)
redis.call('HSET', SCHEDULES, name, pack_struct('<dBd', revision, due and 1 or 0, due or 0) .. record)
if due then
    redis.call('ZADD', SCHEDULES_DUE, text(due), name)
else
    redis.call('ZREM', SCHEDULES_DUE, name)
end
for _ = 1, tonumber(take()) do
    submit_group(read_group(), nil, true, {}, {})
end
flush_jobs()
announce()
redis.call('PUBLISH', CHANNEL, 'schedules')
return text(revision)
