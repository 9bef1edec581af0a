-- gates: all rules, how many slots are taken where, and how many jobs run in which queue. Returns gate and rule of each, gate and
-- number of each, and status and queue and number of each.
return { redis.call('HGETALL', RULES), redis.call('HGETALL', TAKEN), redis.call('HGETALL', COUNTS) }
