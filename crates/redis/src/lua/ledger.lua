-- What every script begins with: the keys, the clock, jobs as tables, and one place that writes them back.
--
-- KEYS, the same for all scripts:
--   1 job        hash: id -> what was submitted, written once
--   2 state      hash: id -> where the job stands, see LAYOUT
--   3 result     hash: id -> what its handler returned
--   4 error      hash: id -> the error on record
--   5 progress   hash: id -> the latest report
--   6 attempts   hash: id -> attempts that did not complete, oldest first
--   7 ready      sorted by member: queue, suspect or not, priority, number, id
--   8 due        sorted by member: queue, moment, id
--   9 leases     sorted set: running ids by the end of their leases
--  10 done       list: completed and canceled ids, the first that ended first
--  11 dead       sorted set: failed ids by their end
--  12 all        sorted set: ids by number
--  13 counts     hash: status and queue -> how many jobs
--  14 seq        the last number given out
-- In front of it stand what core::state decides, and FULL: whether the server's memory is. No script but exchange stores
-- more than it takes away. A script that has begun to write is let go on by every server.
-- ARGV[1]: the time in microseconds, or '' for the server's. ARGV[2]: the channel for hints.
local JOB, STATE, RESULT, ERROR, PROGRESS, ATTEMPTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local READY, DUE, LEASES, DONE, DEAD, ALL, COUNTS, SEQ =
    KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14]
local CHANNEL = ARGV[2]

local pack_struct, unpack_struct, sub = struct.pack, struct.unpack, string.sub

-- The most that one command is given, far below what Lua's stack holds.
local CHUNK = 1000

local now
if ARGV[1] ~= '' then
    now = tonumber(ARGV[1])
else
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end

-- Numbers as a command takes them. Redis would print each anew, with all the digits that a fraction could have.
local texts = {}
local function text(number)
    local known = texts[number]
    if not known then
        known = string.format('%.0f', number)
        texts[number] = known
    end
    return known
end

local cursor = 2
local function take()
    cursor = cursor + 1
    return ARGV[cursor]
end

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
        packed = false,
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

-- Jobs that this script has looked at; false where there is none.
local known = {}

local function fetch(ids)
    for first = 1, #ids, CHUNK do
        local last = math.min(first + CHUNK - 1, #ids)
        local found = redis.call('HMGET', STATE, unpack(ids, first, last))
        for place = first, last do
            local id = ids[place]
            if known[id] == nil then
                local packed = found[place - first + 1]
                known[id] = packed and decode(id, packed)
            end
        end
    end
end

local function find(id)
    if known[id] == nil then
        fetch({ id })
    end
    return known[id]
end

-- Changes are gathered, and written many at a time.
local changed, queue_changes = {}, {}
local ready_in, ready_out, due_in, due_out = {}, {}, {}, {}
local leases_in, leases_out, done_in, dead_in, dead_out = {}, {}, {}, {}, {}

local function write(command, key, list)
    for first = 1, #list, CHUNK do
        redis.call(command, key, unpack(list, first, math.min(first + CHUNK - 1, #list)))
    end
end

local function scored(list, score, member)
    list[#list + 1] = score
    list[#list + 1] = member
end

local function named(list, member)
    list[#list + 1] = member
end

local function touch(job)
    if not job.changed then
        job.changed = true
        changed[#changed + 1] = job
    end
end

local function count(queue, status, by)
    local changes = queue_changes[queue]
    if not changes then
        changes = {}
        queue_changes[queue] = changes
    end
    changes[status] = (changes[status] or 0) + by
end

local function counted_now(queue, status)
    return queue_changes[queue] and queue_changes[queue][status] or 0
end

-- Everything gathered so far.
local function flush()
    local states = {}
    for _, job in ipairs(changed) do
        scored(states, job.id, job.packed or encode(job))
        job.changed, job.packed = false, false
    end
    write('HSET', STATE, states)
    write('ZREM', READY, ready_out)
    write('ZADD', READY, ready_in)
    write('ZREM', DUE, due_out)
    write('ZADD', DUE, due_in)
    write('ZREM', LEASES, leases_out)
    write('ZADD', LEASES, leases_in)
    write('ZREM', DEAD, dead_out)
    write('ZADD', DEAD, dead_in)
    write('RPUSH', DONE, done_in)
    for queue, changes in pairs(queue_changes) do
        for status, by in pairs(changes) do
            if by ~= 0 then
                redis.call('HINCRBY', COUNTS, status .. queue, by)
            end
        end
    end
    changed, queue_changes = {}, {}
    ready_in, ready_out, due_in, due_out = {}, {}, {}, {}
    leases_in, leases_out, done_in, dead_in, dead_out = {}, {}, {}, {}, {}
end

-- Queues that got work: ready jobs, and the earliest of those that wait for their time.
local got_ready, got_due = {}, {}

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

local function enter(job, status, at)
    job.status, job.at, job.updated = status, at or 0, now
    count(job.queue, status, 1)
    touch(job)
    if status == QUEUED then
        scored(ready_in, '0', ready_member(job))
        got_ready[job.queue] = true
    elseif status == SCHEDULED then
        scored(due_in, '0', due_member(job))
        got_due[job.queue] = math.min(at, got_due[job.queue] or at)
    elseif status == IN_PROGRESS then
        scored(leases_in, text(at), job.id)
    elseif status == FAILED then
        scored(dead_in, text(now), job.id)
    else
        named(done_in, job.id)
    end
end

-- The ready jobs of a queue as a range; of one kind where `suspect` says which.
local function ready_range(queue, suspect)
    if suspect then
        return '[' .. queue .. pack_struct('BB', 0, suspect), '(' .. queue .. pack_struct('BB', 0, suspect + 1)
    end
    return '[' .. queue .. '\0', '(' .. queue .. '\1'
end

local function any_ready(queue)
    local from, to = ready_range(queue)
    return #redis.call('ZRANGE', READY, from, to, 'BYLEX', 'LIMIT', 0, 1) > 0
end

-- When the next job of a queue is due, if one waits for its time.
local function earliest_due(queue)
    local first = redis.call('ZRANGE', DUE, '[' .. queue .. '\0', '(' .. queue .. '\1', 'BYLEX', 'LIMIT', 0, 1)[1]
    return first and unpack_struct('>I8', first, #queue + 2)
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
        leave(known[id])
        enter(known[id], QUEUED)
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

-- Wakes others when ready jobs are left, or one is due before all others of its queue: once, at the end.
local function announce()
    for queue in pairs(got_ready) do
        if any_ready(queue) then
            return redis.call('PUBLISH', CHANNEL, 'ready')
        end
    end
    for queue, at in pairs(got_due) do
        if earliest_due(queue) == math.max(at, 0) then
            return redis.call('PUBLISH', CHANNEL, 'ready')
        end
    end
end

-- Everything that is known of a job, for readers.
local function whole(id, packed)
    return {
        id, packed, redis.call('HGET', JOB, id), redis.call('HGET', RESULT, id), redis.call('HGET', ERROR, id),
        redis.call('HGET', PROGRESS, id), redis.call('HGET', ATTEMPTS, id),
    }
end
