-- A turn that does nothing but submit one job, or gives it to whoever brings it: what submit, claim and the ledger do, in a
-- straight line. It shares nothing with them but the layout, because setting that up takes longer than the work; the
-- conformance suite holds both to the same promises. For a store of one shard. KEYS as in ledger.lua; ARGV and what it returns are exchange's,
-- or nothing, and nothing is done, where a claim could take anything but this job, or rules are set.
local call = redis.call
local JOB, STATE, READY, DUE, LEASES = KEYS[1], KEYS[2], KEYS[7], KEYS[8], KEYS[9]
local ALL, COUNTS, SEQ, LONG = KEYS[12], KEYS[13], KEYS[14], KEYS[16]
local now, channel = tonumber(ARGV[1]), ARGV[2]
local limit, _, priority, delay, moment, queue, id, submitted, most, _, lease, worker = unpack(ARGV, 8, 19)
local FIRST_QUEUE = 20
if not now then
    local time = call('TIME')
    now = time[1] * 1000000 + time[2]
end
local start = delay ~= '' and now + delay or moment ~= '' and tonumber(moment) or now
local given, next_due = {}, -1

local function first_in(line, of)
    return call('ZRANGE', line, '[' .. of .. '\0', '(' .. of .. '\1', 'BYLEX', 'LIMIT', 0, 1)[1]
end

-- Whether this job is all that a claim can take. When the next of its queues is due is noted on the way.
local function is_all_there_is()
    local asked_for = false
    for place = FIRST_QUEUE, #ARGV do
        local of = ARGV[place]
        asked_for = asked_for or of == queue
        local due = first_in(DUE, of)
        local pause = due and unpack_struct('>I8', due, #of + 2) - now
        if first_in(READY, of) or pause and pause <= 0 then
            return false
        end
        if pause and (next_due < 0 or pause < next_due) then
            next_due = pause
        end
    end
    return asked_for and start <= now and tonumber(most) > 0
end

local rules = call('HGET', KEYS[17], '')
if rules and (most or string.find(rules, '[sob]')) or most and not is_all_there_is() then
    return false
end

local function answer(outcome, standing)
    return { now, {}, {}, { outcome }, standing, given, 0, next_due }
end

local standing = call('HGET', JOB, id)
if standing then
    local rest = call('HGET', LONG, id)
    return answer(0, { rest and { standing, rest } or standing })
end
if limit ~= '' then
    local waiting = call('HMGET', COUNTS, QUEUED .. queue, SCHEDULED .. queue)
    if (waiting[1] or 0) + (waiting[2] or 0) >= tonumber(limit) then
        return answer(-1, {})
    end
end

local level, seq, status, at = tonumber(priority), call('INCRBY', SEQ, 1), QUEUED, 0
if start > now then
    status, at = SCHEDULED, start
end
local short, rest = submitted, nil
if #submitted >= LONG_FROM then
    short, rest = cut(submitted)
end
local kept_job = pack_struct('<BdBdd', status, at, level, seq, now) .. short
call('HSET', JOB, id, kept_job)
if rest then
    call('HSET', LONG, id, rest)
end
call('ZADD', ALL, string.format('%d', seq), id)
if most then
    call('HINCRBY', COUNTS, CLAIMED .. queue, 1)
    call('ZADD', LEASES, string.format('%.0f', now + lease), id)
    call('HSET', STATE, id, running_first(queue, now, lease, worker))
    given = { id, false, rest and { kept_job, rest } or kept_job }
    return answer(QUEUED, {})
end
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
