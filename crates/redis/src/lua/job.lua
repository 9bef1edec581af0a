-- Jobs as tables: for everything but the common cases, which cut their states without taking them apart.

-- Where the parts are that scripts cut at: the token, the number, when it changed, when it started, what never changes.
local TOKEN, NUMBER, UPDATED, STARTED, FIXED = 5, 13, 37, 53, 77

-- status, cancellation requested, priority, suspect, token, number, retries, crashes, created, updated, due or end of
-- lease, started, worker; behind it what never changes: crashes at most, queue, name, owner. Decoded in record.rs too.
local LAYOUT = '<BBBBddIIddddc16'

local function decode(id, packed)
    local status, cancel, priority, suspect, token, seq, retries, crashes, created, updated, at, started, worker, rest =
        unpack_struct(LAYOUT, packed)
    -- All fields at once: a table that grows is built again and again.
    return {
        id = id, status = status, cancel = cancel, priority = priority, suspect = suspect, token = token, seq = seq,
        retries = retries, crashes = crashes, created = created, updated = updated, at = at, started = started,
        worker = worker, fixed = sub(packed, rest), queue = unpack_struct('s', packed, rest + 4), changed = false,
    }
end

local function encode(job)
    return pack_struct(LAYOUT, job.status, job.cancel, job.priority, job.suspect, job.token, job.seq, job.retries,
        job.crashes, job.created, job.updated, job.at, job.started, job.worker) .. job.fixed
end

local function owner_of(job)
    local _, _, _, owner = unpack_struct('<Isss', job.fixed)
    return owner
end

-- Those among the states looked at that are taken apart, and those of them that are changed.
local known, changed = {}, {}

local function find(id)
    if kept[id] == nil then
        fetch({ id })
    end
    if not known[id] and kept[id] then
        known[id] = decode(id, kept[id])
    end
    return known[id]
end

-- The job, if there is one that the owner may see; '' sees all.
local function visible(id, owner)
    local job = find(id)
    return job and (owner == '' or owner_of(job) == owner) and job
end

local function touch(job)
    if not job.changed then
        job.changed = true
        changed[#changed + 1] = job
    end
end

-- Everything gathered so far, with the jobs that are changed.
local function flush_jobs()
    for _, job in ipairs(changed) do
        rewrite(job.id, encode(job))
        job.changed = false
    end
    changed = {}
    flush()
end

local function ready_member(job)
    return job.queue .. pack_struct('>BBBI8', 0, job.suspect, job.priority, job.seq) .. job.id
end

local function due_member(job)
    return job.queue .. pack_struct('>BI8', 0, math.max(job.at, 0)) .. job.id
end

-- A job stands somewhere else now; `at` is when it is due, or when its lease ends.
local function leave(job)
    count(job.queue, job.status, -1)
    if job.status == QUEUED then
        named(ready_out, ready_member(job))
    elseif job.status == SCHEDULED then
        named(due_out, due_member(job))
    elseif job.status == IN_PROGRESS then
        named(leases_out, job.id)
    elseif job.status == FAILED then
        named(dead_out, job.id)
    end
end

-- Puts the job where its status says.
local function stand(job)
    count(job.queue, job.status, 1)
    touch(job)
    if job.status == QUEUED then
        note_ready(job.queue, job.suspect)
        scored(ready_in, '0', ready_member(job))
    elseif job.status == SCHEDULED then
        scored(due_in, '0', due_member(job))
        got_due[job.queue] = math.min(job.at, got_due[job.queue] or job.at)
    elseif job.status == IN_PROGRESS then
        scored(leases_in, text(job.at), job.id)
    elseif job.status == FAILED then
        scored(dead_in, text(job.updated), job.id)
    else
        named(done_in, job.id)
    end
end

local function enter(job, status, at)
    job.status, job.at, job.updated = status, at or 0, now
    stand(job)
end

-- Makes the due jobs of a queue ready, at most so many. How many there were.
local function promote(queue, most)
    local to = '(' .. queue .. pack_struct('>BI8', 0, now + 1)
    local members = redis.call('ZRANGE', DUE, '[' .. queue .. '\0', to, 'BYLEX', 'LIMIT', 0, most)
    local ids = {}
    for place, member in ipairs(members) do
        ids[place] = sub(member, -16)
    end
    fetch(ids)
    for _, id in ipairs(ids) do
        local job = find(id)
        leave(job)
        enter(job, QUEUED)
    end
    return #ids
end

-- An attempt that did not complete: its length, and it, behind those before. The oldest beyond HISTORY_MAX are forgotten.
local function remember(job, outcome, error)
    local record = pack_struct('<IddBc16', job.retries + job.crashes + 1, job.started, now, outcome, job.worker) .. error
    local records = redis.call('HGET', ATTEMPTS, job.id) or ''
    records = records .. pack_struct('<I', #record) .. record
    local starts, place = {}, 1
    while place <= #records do
        starts[#starts + 1] = place
        place = place + 4 + unpack_struct('<I', records, place)
    end
    local surplus = math.max(#starts - HISTORY_MAX, 0)
    redis.call('HSET', ATTEMPTS, job.id, sub(records, starts[1 + surplus]))
end

-- Everything that is known of a job, for readers.
local function whole(id, packed)
    return {
        id, packed, redis.call('HGET', JOB, id), redis.call('HGET', RESULT, id), redis.call('HGET', ERROR, id),
        redis.call('HGET', PROGRESS, id), redis.call('HGET', ATTEMPTS, id),
    }
end
