-- lost: leases that ran out, the oldest first. ARGV: leases at most. Returns id, token, crashes and crashes at most of
-- each; what becomes of them is decided elsewhere, and done by reclaim.
local ids = redis.call('ZRANGE', LEASES, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, tonumber(take()))
fetch(ids)
local lost = {}
for _, id in ipairs(ids) do
    local job = find(id)
    named(lost, id)
    named(lost, job.token)
    named(lost, job.crashes)
    named(lost, job.crashes_most)
end
return lost
