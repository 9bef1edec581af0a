-- promote: makes due jobs ready, of all queues. ARGV: jobs at most. Returns how many there were.
local most, promoted = tonumber(take()), 0
local counts = redis.call('HGETALL', COUNTS)
for place = 1, #counts, 2 do
    local status, queue = string.match(counts[place], '^(%d)(.*)$')
    if tonumber(status) == SCHEDULED and tonumber(counts[place + 1]) > 0 and promoted < most then
        promoted = promoted + promote(queue, most - promoted)
    end
end
flush_jobs()
announce()
return promoted
