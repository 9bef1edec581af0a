-- A turn that does nothing but submit one job: what submit and the ledger do, in a straight line. It shares no code with
-- them, because setting that up takes as long as the work; the conformance suite holds both to the same promises.
-- KEYS as in ledger.lua; ARGV and what it returns are exchange's. For a store of one shard.
local call, pack_struct = redis.call, struct.pack
local JOB, STATE, READY, DUE, ALL, COUNTS, SEQ = KEYS[1], KEYS[2], KEYS[7], KEYS[8], KEYS[12], KEYS[13], KEYS[14]
local now, channel = tonumber(ARGV[1]), ARGV[2]
local limit, _, priority, delay, moment, fixed, id, submitted = unpack(ARGV, 8, 15)
if not now then
    local time = call('TIME')
    now = time[1] * 1000000 + time[2]
end
local queue = struct.unpack('s', fixed, 5)
local start = delay ~= '' and now + delay or moment ~= '' and tonumber(moment) or now

local function answer(outcome, standing)
    return { now, {}, {}, { outcome }, standing, {}, 0, -1 }
end

local function known(otherwise)
    local state = call('HGET', STATE, id)
    return state and answer(0, { state, call('HGET', JOB, id) }) or answer(otherwise, {})
end

if limit ~= '' then
    local waiting = call('HMGET', COUNTS, QUEUED .. queue, SCHEDULED .. queue)
    if (waiting[1] or 0) + (waiting[2] or 0) >= tonumber(limit) then
        return known(-1)
    end
end
if call('HSETNX', JOB, id, submitted) == 0 then
    return known()
end

-- LAYOUT in job.lua.
local level, seq, nobody = tonumber(priority), call('INCRBY', SEQ, 1), string.rep('\0', 16)
local status, at = QUEUED, 0
if start > now then
    status, at = SCHEDULED, start
end
call('HSET', STATE, id, pack_struct('<BBBBddIIddddc16', status, 0, level, 0, math.max(now, 0), seq, 0, 0, now, now, at, 0,
    nobody) .. fixed)
call('ZADD', ALL, string.format('%d', seq), id)
call('HINCRBY', COUNTS, status .. queue, 1)

-- Among the ready jobs that are no suspects, or among those that wait for their time.
local line, place, from, to = READY, pack_struct('>BBBI8', 0, 0, level, seq), '\0\0', '\0\1'
if status == SCHEDULED then
    local due = pack_struct('>BI8', 0, math.max(at, 0))
    line, place, from, to = DUE, due, '\0', due
end
-- Whoever has room knows of those that wait before it.
local before = call('ZRANGE', line, '[' .. queue .. from, '(' .. queue .. to, 'BYLEX', 'LIMIT', 0, 1)
call('ZADD', line, '0', queue .. place .. id)
if #before == 0 then
    call('PUBLISH', channel, 'ready')
end
return answer(status, {})
