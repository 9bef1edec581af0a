-- submit: keeps the jobs whose ids are new, unless their queue holds as many waiting jobs as it may.
-- ARGV of each: id, priority, delay or '', moment or '', what never changes of its state, what was submitted.
-- Returns for each its status, 0 where the id is taken, -1 where the queue or the server's memory is full.
local SUBMIT_FIELDS = 6
local NOBODY = string.rep('\0', 16)
local first_token = math.max(now, 0)

-- How many jobs wait in a queue, with those of this turn.
local waiting = {}

local function room(queue, limit)
    if not waiting[queue] then
        local kept = redis.call('HMGET', COUNTS, QUEUED .. queue, SCHEDULED .. queue)
        waiting[queue] = (kept[1] or 0) + (kept[2] or 0)
            + counted_now(queue, QUEUED) + counted_now(queue, SCHEDULED)
    end
    return limit - waiting[queue]
end

local function read_new()
    local id, priority, delay, moment, fixed, submitted = unpack(ARGV, cursor + 1, cursor + SUBMIT_FIELDS)
    cursor = cursor + SUBMIT_FIELDS
    return {
        id = id, status = 0, cancel = 0, priority = tonumber(priority), suspect = 0, token = first_token, seq = 0,
        retries = 0, crashes = 0, created = now, updated = now, at = 0, started = 0, worker = NOBODY, fixed = fixed,
        queue = unpack_struct('s', fixed, 5), changed = false, packed = false, submitted = submitted, outcome = 0,
        start = delay ~= '' and now + delay or moment ~= '' and tonumber(moment) or now,
    }
end

-- Reads so many, and looks up which ids are taken.
local function read_all_new(number)
    local jobs, ids = {}, {}
    for place = 1, number do
        jobs[place] = read_new()
        ids[place] = jobs[place].id
    end
    fetch(ids)
    return jobs
end

local function keep(jobs)
    if #jobs == 0 then
        return
    end
    local submitted, numbers = {}, {}
    local last = redis.call('INCRBY', SEQ, #jobs)
    for place, job in ipairs(jobs) do
        job.seq = last - #jobs + place
        scored(submitted, job.id, job.submitted)
        scored(numbers, text(job.seq), job.id)
        enter(job, job.outcome, job.outcome == SCHEDULED and job.start or nil)
    end
    write('HSET', JOB, submitted)
    write('ZADD', ALL, numbers)
end

local function submit(jobs, limit, emitted)
    local outcomes, kept = {}, {}
    for place, job in ipairs(jobs) do
        if known[job.id] then
            outcomes[place] = 0
        elseif FULL and not emitted or limit and room(job.queue, limit) <= 0 then
            outcomes[place] = -1
        else
            job.outcome = job.start > now and SCHEDULED or QUEUED
            outcomes[place] = job.outcome
            known[job.id] = job
            kept[#kept + 1] = job
            if limit then
                waiting[job.queue] = waiting[job.queue] + 1
            end
        end
    end
    keep(kept)
    return outcomes
end
