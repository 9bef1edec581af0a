-- submit: keeps the jobs whose ids are new, unless their queue holds as many waiting jobs as it may.
-- ARGV, in groups of jobs that differ in their ids and inputs only: how many, priority, delay or '', moment or '', what
-- never changes of their state; then of each its id and what was submitted.
-- Returns for each its status, 0 where the id is taken, -1 where the queue or the server's memory is full.
local NOBODY = string.rep('\0', 16)
-- In place of a state that is not written yet: its id must not be given twice.
local TAKEN = ''

-- How many jobs wait in a queue, with those of this turn.
local waiting = {}

local function room(queue, limit)
    if not waiting[queue] then
        local kept = redis.call('HMGET', COUNTS, QUEUED .. queue, SCHEDULED .. queue)
        waiting[queue] = (kept[1] or 0) + (kept[2] or 0) + counted_now(queue, QUEUED) + counted_now(queue, SCHEDULED)
    end
    return limit - waiting[queue]
end

local function read_group()
    local number, priority, delay, moment, fixed = unpack(ARGV, cursor + 1, cursor + 5)
    local group = { number = tonumber(number), priority = tonumber(priority), fixed = fixed, first = cursor + 6 }
    group.queue = unpack_struct('s', fixed, 5)
    local start = delay ~= '' and now + delay or moment ~= '' and tonumber(moment) or now
    group.status = start > now and SCHEDULED or QUEUED
    group.at = start > now and start or 0
    cursor = cursor + 5 + 2 * group.number
    return group
end

local function ids_of(group)
    local ids = {}
    for place = 1, group.number do
        ids[place] = ARGV[group.first + 2 * place - 2]
    end
    return ids
end

-- Puts jobs of a group in their line, `new` being their arguments' places. They are alike but for ids and numbers, so that one
-- state serves all.
local function line_up(group, new)
    local seq, apart = numbers(#new)
    local queue, line = group.queue, group.status == QUEUED and ready_in or due_in
    local before = queue .. (group.status == QUEUED and pack_struct('>BBB', 0, 0, group.priority)
        or pack_struct('>BI8', 0, group.at))
    local head = pack_struct('<BBBBd', group.status, 0, group.priority, 0, math.max(now, 0))
    local tail = pack_struct('<IIddddc16', 0, 0, now, now, group.at, 0, NOBODY) .. group.fixed
    local fresh, all, submitted, queued = {}, {}, {}, group.status == QUEUED
    for place, argument in ipairs(new) do
        seq = seq + apart
        local id, to = ARGV[argument], 2 * place
        submitted[to - 1], submitted[to] = id, ARGV[argument + 1]
        kept[id] = head .. pack_struct('<d', seq) .. tail
        fresh[to - 1], fresh[to] = id, kept[id]
        all[to - 1], all[to] = string.format('%d', seq), id
        line[#line + 1] = '0'
        line[#line + 1] = queued and before .. pack_struct('>I8', seq) .. id or before .. id
    end
    write('HSET', JOB, submitted)
    write('HSET', STATE, fresh)
    write('ZADD', ALL, all)
end

local function keep(group, new)
    if #new == 0 then
        return
    end
    line_up(group, new)
    count(group.queue, group.status, #new)
    if group.status == QUEUED then
        note_ready(group.queue, 0)
    else
        got_due[group.queue] = math.min(group.at, got_due[group.queue] or group.at)
    end
end

local function submit_group(group, limit, emitted, outcomes, asked)
    local ids, new = ids_of(group), {}
    fetch(ids)
    for place, id in ipairs(ids) do
        local outcome = group.status
        if kept[id] then
            outcome = 0
        elseif FULL and not emitted or limit and room(group.queue, limit) <= 0 then
            outcome = -1
        else
            new[#new + 1] = group.first + 2 * place - 2
            kept[id] = TAKEN
            if limit then
                waiting[group.queue] = waiting[group.queue] + 1
            end
        end
        outcomes[#outcomes + 1] = outcome
        asked[#asked + 1] = id
    end
    keep(group, new)
end

-- All groups. What became of each job, and what stands under the ids that were taken.
local function submit_all()
    local groups, limit, outcomes, ids, standing = tonumber(take()), tonumber(take()), {}, {}, {}
    for _ = 1, groups do
        local group = read_group()
        submit_group(group, limit, false, outcomes, ids)
    end
    for place, outcome in ipairs(outcomes) do
        if outcome == 0 then
            named(standing, kept[ids[place]])
            named(standing, redis.call('HGET', JOB, ids[place]))
        end
    end
    return outcomes, standing
end
