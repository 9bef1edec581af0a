-- expiring_due: jobs to look at now, the earliest first. ARGV: jobs at most. Returns the time; of each its id, its status, or 0
-- where there is none, and what was submitted.
local ids = redis.call('ZRANGE', EXPIRING, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, tonumber(take()))
fetch(ids)
local due, kept_jobs = {}, kept_jobs_of(ids)
for place, id in ipairs(ids) do
    local job = find(id)
    named(due, id)
    named(due, job and job.status or 0)
    named(due, kept_jobs[place] or '')
end
return { now, due }
