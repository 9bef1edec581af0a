-- prune: removes jobs that finished so long ago, the oldest first. ARGV: 1 for failed jobs, 0 for others; how long they
-- are kept; jobs at most. Returns how many there were.
local which = take() == '1' and DEAD or DONE
local over = string.format('%.0f', now - take())
local ids = redis.call('ZRANGE', which, '-inf', over, 'BYSCORE', 'LIMIT', 0, tonumber(take()))
fetch(ids)
for _, id in ipairs(ids) do
    count(known[id].queue, known[id].status, -1)
end
for _, key in ipairs({ JOB, STATE, RESULT, ERROR, PROGRESS, ATTEMPTS }) do
    write('HDEL', key, ids)
end
write('ZREM', which, ids)
write('ZREM', ALL, ids)
flush()
return #ids
