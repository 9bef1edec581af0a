-- replay: sends a dead letter round again. ARGV: id, owner or ''.
-- Returns 1 done, 0 it is none, and the job; nothing where the owner sees no such job.
local id, owner = take(), take()
local job = visible(id, owner)
if not job then
    return false
end
local said, to = 0, REPLAY[job.status]
if to then
    said = 1
    leave(job)
    job.token, job.retries, job.crashes, job.suspect = job.token + 1, 0, 0, 0
    enter(job, to)
end
flush_jobs()
announce()
return { said, whole(id, encode(job)) }
