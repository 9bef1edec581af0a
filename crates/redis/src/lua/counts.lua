-- counts: how many jobs of each queue have each status. Returns status and queue in one, and the number, of each.
return redis.call('HGETALL', COUNTS)
