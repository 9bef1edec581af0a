-- exchange: one turn, in the order settle, extend, submit, claim.
-- ARGV: how many settlements and they; how many groups of emitted jobs and they; how many leases and they; how many groups of
-- submissions, how many jobs may wait in a queue or '', and they; what a claim takes, when there is one, and behind it \1 and the
-- handlers that it serves, one a line, when it does not serve all.
-- Returns the time, fates, extensions, outcomes, what stands under ids that were taken, claimed jobs, whether jobs are
-- left, how long until one is due.
-- Or nothing, and nothing is done, where rules are set that this script does not know of.
if not gates and redis.call('EXISTS', RULES) == 1 then
    return false
end
local fates = settle_all(tonumber(take()))
submit_emitted(tonumber(take()), fates)
local extended = extend_all(tonumber(take()))
local outcomes, standing = submit_all()

local claimed, more, next_due = {}, 0, -1
if ARGV[cursor + 1] then
    local most, suspects, lease, worker = tonumber(take()), tonumber(take()), tonumber(take()), take()
    claimed, more, next_due = claim(most, suspects, lease, worker, { unpack(ARGV, cursor + 1) })
end
flush_jobs()
announce(#claimed > 0)
return { now, fates, extended, outcomes, standing, claimed, more, next_due }
