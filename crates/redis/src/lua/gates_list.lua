-- gates: all rules, and how many slots are taken where. Returns gate and rule of each, and gate and number of each.
return { redis.call('HGETALL', RULES), redis.call('HGETALL', TAKEN) }
