-- What every script begins with: the keys, the clock, the arguments, and one place that writes changes.
--
-- KEYS, the same for all scripts:
--   1 job        hash: id -> where the job stood at first, and what was submitted: FIRST in layout.lua, written once
--   2 state      hash: id -> where it stands: LAYOUT in layout.lua, of jobs that anything has happened to
--   3 result     hash: id -> what its handler returned
--   4 error      hash: id -> the error on record
--   5 progress   hash: id -> the latest report
--   6 attempts   hash: id -> attempts that did not complete, oldest first
--   7 ready      sorted by member: queue, suspect or not, priority, block as number of the first and ids
--   8 due        sorted by member: queue, moment, id
--   9 leases     sorted set: running ids by the end of their leases
--  10 done       list: completed and canceled ids, the first that ended first
--  11 dead       sorted set: failed ids by their end
--  12 all        sorted set: blocks of ids, one behind the other, by the number of the first
--  13 counts     hash: status and queue -> how many jobs
--  14 seq        the last number given out
--  15 gone       hash: first number of a block -> how many of its jobs are removed, where some are
--  16 long       hash: id -> what was submitted besides, where that is long
--  17 rules      hash: gate -> what holds there; '' -> what rules there are, as long as there are traces of any or jobs
--                that claims left to others; \1, \2 or \3 and
--                the gate -> how it is shared, how many may wait, in how long its jobs rise by a level
-- and for few scripts:
--  18 schedules      hash: name -> revision, whether and when it is due, and what is kept of it
--  19 schedules-due  sorted set: names of schedules by when they are due
--  20 unique         hash: key -> id of the job that has or had it, in which statuses, whether and when that ends
--  21 unique-until   sorted set: keys by their end, where they have one
--  22 unique-of      hash: id -> the key of a unique job
--  23 slots          hash: id -> the gates at which a job that waits keeps its slots
--  24 taken          hash: gate -> how many slots are taken
--  25 buckets        sorted set: gates with a rate by when their buckets are full again
--  26 held           sorted by member: queue, gate, without a slot there or with, priority, suspect or not, number, id
--  27 lines          sorted by member: gate, queue of which jobs wait there
--  28 opens          sorted by member: queue, moment, gate at which to look then
--  29 turns          sorted by member: queue, stamp, line whose turn it is then
--  30 stamps         hash: queue, line -> its stamp
--  31 expiring       sorted set: ids by when to look whether they have expired; of jobs that are finished or gone, too
--  32 owned          sorted by member: owner, 9 less priority, number, id, of jobs that wait, while owners' are counted
-- In front of it stand what core::state decides, and FULL: whether the server's memory is. On a full server claims,
-- settlements, sweeps and cancellations go on: they store a little, so that work can end and be taken away. A script that has begun to write is let go on by every server.
-- ARGV[1]: the time in microseconds, or '' for the server's. ARGV[2]: the channel for hints. ARGV[3]: among how many shards the
-- store is spread, and which this is, or '' where there is one.
local JOB, STATE, RESULT, ERROR, PROGRESS, ATTEMPTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local READY, DUE, LEASES, DONE, DEAD, ALL, COUNTS, SEQ, GONE, LONG, RULES =
    KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15], KEYS[16], KEYS[17]
local CHANNEL = ARGV[2]
local SHARDS, SHARD = string.match(ARGV[3], '^(%d+) (%d+)$')

-- How far the numbers of jobs are apart that were submitted together.
local APART = tonumber(SHARDS or 1)

-- Such jobs stand in blocks, which cost little more than one job does. At most so many in one: a block is written anew when
-- a part is taken out of the line, and stays in `all` for its last job.
local BLOCK = 32

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

local cursor = 3
local function take()
    cursor = cursor + 1
    return ARGV[cursor]
end

-- What a command that takes many ids says of each, in their order.
local function look_up(command, key, ids)
    if #ids <= CHUNK then
        return #ids > 0 and redis.call(command, key, unpack(ids)) or {}
    end
    local found = {}
    for first = 1, #ids, CHUNK do
        local some = redis.call(command, key, unpack(ids, first, math.min(first + CHUNK - 1, #ids)))
        for place, value in ipairs(some) do
            found[first + place - 1] = value
        end
    end
    return found
end

-- What is kept of jobs from the beginning, in their order, as readers get it: of a long one two parts.
local function kept_jobs_of(ids)
    local kept_jobs = look_up('HMGET', JOB, ids)
    if redis.call('EXISTS', LONG) == 1 then
        for place, rest in ipairs(look_up('HMGET', LONG, ids)) do
            kept_jobs[place] = rest and { kept_jobs[place], rest } or kept_jobs[place]
        end
    end
    return kept_jobs
end

-- Numbers for new jobs: the last one before them. Those of several shards go with the clock, so that jobs can be put in order,
-- and are never the same.
local function numbers(many)
    if not SHARDS then
        return redis.call('INCRBY', SEQ, many) - many
    end
    local kept = redis.call('INCRBY', SEQ, 0)
    local last = math.max(kept, now)
    last = last - (last - SHARD) % SHARDS
    redis.call('INCRBY', SEQ, text(last - kept + many * SHARDS))
    return last
end

-- Changes are gathered, and written many at a time.
local states, queue_changes = {}, {}
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
    states, queue_changes = {}, {}
    ready_in, ready_out, due_in, due_out = {}, {}, {}, {}
    leases_in, leases_out, done_in, dead_in, dead_out = {}, {}, {}, {}, {}
end

-- Queues that got work: whether it is the only one that is ready, and the earliest that waits for its time.
local got_ready, got_due = {}, {}

-- The ready jobs of a queue as a range; of one kind where `suspect` says which.
local function ready_range(queue, suspect, level)
    if level then
        return '[' .. queue .. pack_struct('BBB', 0, suspect, level), '(' .. queue .. pack_struct('BBB', 0, suspect, level + 1)
    end
    if suspect then
        return '[' .. queue .. pack_struct('BB', 0, suspect), '(' .. queue .. pack_struct('BB', 0, suspect + 1)
    end
    return '[' .. queue .. '\0', '(' .. queue .. '\1'
end

local function any_ready(queue, suspect)
    local from, to = ready_range(queue, suspect)
    return #redis.call('ZRANGE', READY, from, to, 'BYLEX', 'LIMIT', 0, 1) > 0
end

-- Notes, before it is written, that a queue gets a ready job. Where others are ready already, whoever has room knows of
-- them; only suspects may wait although there is room.
local function note_ready(queue, suspect)
    if not got_ready[queue] then
        got_ready[queue] = suspect == 1 or not any_ready(queue, 0)
    end
end

-- When the next job of a queue is due, if one waits for its time.
local function earliest_due(queue)
    local first = redis.call('ZRANGE', DUE, '[' .. queue .. '\0', '(' .. queue .. '\1', 'BYLEX', 'LIMIT', 0, 1)[1]
    return first and unpack_struct('>I8', first, #queue + 2)
end

-- Wakes others when ready jobs are left, or one is due before all others of its queue: once, at the end. Where nothing was
-- claimed, what became ready still is.
local function announce(claimed)
    for queue, first in pairs(got_ready) do
        if first and (not claimed or any_ready(queue)) then
            return redis.call('PUBLISH', CHANNEL, 'ready')
        end
    end
    for queue, at in pairs(got_due) do
        if earliest_due(queue) == math.max(at, 0) then
            return redis.call('PUBLISH', CHANNEL, 'ready')
        end
    end
end
