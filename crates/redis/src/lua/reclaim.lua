-- reclaim: takes jobs back from workers whose leases ran out, if that is still so. ARGV: the status of those whose
-- cancellation was requested, the error of a crash; of each id, token, status, suspect or not, error.
-- Returns where the jobs went.
local stop_status, crashed = tonumber(take()), take()
local went, errors = {}, {}

local function take_back(id, token, status, suspect, error)
    local job = find(id)
    if not job or job.token ~= token or job.status ~= IN_PROGRESS or job.at > now then
        return
    end
    if job.cancel == 1 then
        status, error = stop_status, crashed
    end
    remember(job, CRASHED, crashed)
    leave(job)
    job.token, job.crashes, job.suspect = job.token + 1, job.crashes + 1, suspect
    enter(job, status)
    scored(errors, id, error)
    went[#went + 1] = status
    if gates.ruled() then
        gates.leave({ id }, { status > IN_PROGRESS })
        gates.open_lines({ [job.queue] = true })
    end
end

while ARGV[cursor + 1] do
    take_back(take(), tonumber(take()), tonumber(take()), tonumber(take()), take())
end
write('HSET', ERROR, errors)
flush_jobs()
gates.flush()
announce()
return went
