-- schedule_remove: removes a schedule. ARGV: name. Returns 1 or, where there is none, 0.
local name = take()
redis.call('ZREM', SCHEDULES_DUE, name)
return redis.call('HDEL', SCHEDULES, name)
