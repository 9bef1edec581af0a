-- cancel: cancels a job that waits or has failed, or asks a running handler to stop. ARGV: id, owner or ''.
-- Returns 1 canceled, 2 asked, 3 it had finished, and the job; nothing where the owner sees no such job.
local id, owner = take(), take()
local job = visible(id, owner)
if not job then
    return false
end
local said, to = 3, CANCEL[job.status]
if to == REQUESTED then
    said = 2
    request_cancel(job)
elseif to then
    said = 1
    leave(job)
    enter(job, to)
    gates.withdraw(id)
    turns.withdraw(job, firsts[id])
end
flush_jobs()
announce()
return { said, whole(id, encode(job)) }
