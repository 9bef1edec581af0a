-- Jobs as tables: for everything but the common cases, which cut their states without taking them apart.

-- What this script has looked at, by id: states, and what was kept of the jobs from the beginning; false where nothing is.
local kept, firsts = {}, {}

local function fetch_into(found, key, ids)
    for place, value in ipairs(look_up('HMGET', key, ids)) do
        local id = ids[place]
        if found[id] == nil then
            found[id] = value
        end
    end
end

local function fetch(ids)
    fetch_into(kept, STATE, ids)
    fetch_into(firsts, JOB, ids)
end

local function rewrite(id, packed)
    kept[id] = packed
    scored(states, id, packed)
end

local function decode(id, packed, first)
    local status, at, priority, seq, created, _, most, queue, name, owner = unpack_struct(FIRST, first)
    local updated, token, started, worker, retries, crashes, cancel, suspect =
        created, math.max(created, 0), 0, NOBODY, 0, 0, 0, 0
    if packed then
        status, updated, at, token, started, worker, retries, crashes, cancel, suspect = unpack_struct(LAYOUT, packed)
    end
    -- All fields at once: a table that grows is built again and again.
    return {
        id = id, status = status, updated = updated, at = at, token = token, started = started, worker = worker,
        retries = retries, crashes = crashes, cancel = cancel, suspect = suspect, queue = queue, name = name, owner = owner,
        crashes_most = most, priority = priority, seq = seq, created = created, changed = false,
    }
end

local function encode(job)
    return pack_struct(LAYOUT, job.status, job.updated, job.at, job.token, job.started, job.worker, job.retries, job.crashes,
        job.cancel, job.suspect, job.queue)
end

-- Those among the jobs looked at that are taken apart, and those of them that are changed.
local known, changed = {}, {}

local function find(id)
    if firsts[id] == nil then
        fetch({ id })
    end
    if not known[id] and firsts[id] then
        known[id] = decode(id, kept[id], firsts[id])
    end
    return known[id]
end

-- The job, if there is one that the owner may see; '' sees all.
local function visible(id, owner)
    local job = find(id)
    return job and (owner == '' or job.owner == owner) and job
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

-- Takes a ready job out of its block. Those behind it make a block of their own.
local function leave_block(job)
    local before = job.queue .. pack_struct('>BBB', 0, job.suspect, job.priority)
    local over = '(' .. before .. pack_struct('>I8', job.seq + 1)
    local block = redis.call('ZRANGE', READY, over, '[' .. before, 'BYLEX', 'REV', 'LIMIT', 0, 1)[1]
    if not block then
        return
    end
    local first, ids = unpack_struct('>I8', block, #before + 1)
    local place = ids + (job.seq - first) / APART * 16
    named(ready_out, block)
    if place > ids then
        scored(ready_in, '0', sub(block, 1, place - 1))
    end
    if place + 16 <= #block then
        scored(ready_in, '0', before .. pack_struct('>I8', job.seq + APART) .. sub(block, place + 16))
    end
end

-- A job stands somewhere else now; `at` is when it is due, or when its lease ends.
local function leave(job)
    count(job.queue, job.status, -1)
    if job.status == QUEUED then
        leave_block(job)
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

-- Asks a running handler to stop. The hint goes out again with every request: the first may have been lost.
local function request_cancel(job)
    if job.cancel == 0 then
        job.cancel, job.updated = 1, now
        touch(job)
    end
    redis.call('PUBLISH', CHANNEL, job.id)
end

-- Makes the due jobs of a queue ready, at most so many, but for those that `line_up` takes. How many there were.
local function promote(queue, most, line_up)
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
        if not line_up or not line_up(job) then
            enter(job, QUEUED)
        end
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

-- Everything that is known of a job that was found, for readers; its state, if it has one.
local function whole(id, packed)
    local rest = redis.call('HGET', LONG, id)
    return {
        id, packed, rest and { firsts[id], rest } or firsts[id], redis.call('HGET', RESULT, id), redis.call('HGET', ERROR, id),
        redis.call('HGET', PROGRESS, id), redis.call('HGET', ATTEMPTS, id),
    }
end
