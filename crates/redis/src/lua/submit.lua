-- submit: keeps the jobs whose ids are new, unless their queue holds as many waiting jobs as it may.
-- ARGV, in groups of jobs that go to one place in one queue: how many, priority, delay or '', moment or '', queue; then of
-- each its id and what was submitted.
-- Returns for each its status, 0 where the id is taken, -1 where the queue or the server's memory is full, -2 and less where its
-- owner has to wait for so long, 'o' where as many of its owner's wait as may.

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
    local number, priority, delay, moment, queue = unpack(ARGV, cursor + 1, cursor + 5)
    local group = { number = tonumber(number), priority = tonumber(priority), queue = queue, first = cursor + 6 }
    local start = delay ~= '' and now + delay or moment ~= '' and tonumber(moment) or now
    group.status = start > now and SCHEDULED or QUEUED
    group.at = start > now and start or 0
    cursor = cursor + 5 + 2 * group.number
    return group
end

local function ids_of(group)
    local ids, first = {}, group.first - 2
    for place = 1, group.number do
        ids[place] = ARGV[first + 2 * place]
    end
    return ids
end

-- Puts jobs of a group in their line, in blocks. `first` is the number of the first. Last comes what is kept of each.
local function line_up(group, ids, first, _)
    local queue, due, blocks = group.queue, pack_struct('>BI8', 0, group.at), {}
    for place = 1, #ids, BLOCK do
        local number = first + (place - 1) * APART
        local block = table.concat(ids, '', place, math.min(place + BLOCK - 1, #ids))
        scored(blocks, text(number), block)
        if group.status == QUEUED then
            scored(ready_in, '0', queue .. pack_struct('>BBBI8', 0, 0, group.priority, number) .. block)
        end
    end
    write('ZADD', ALL, blocks)
    for place = 1, group.status == SCHEDULED and #ids or 0 do
        scored(due_in, '0', queue .. due .. ids[place])
    end
end

-- Keeps new jobs of a group, with what was submitted of each. They are alike but for ids and numbers.
local function keep_jobs(group, ids, submitted)
    local seq, kept_jobs, long = numbers(#ids), {}, {}
    local head, tail = pack_struct('<BdB', group.status, group.at, group.priority), pack_struct('<d', now)
    local first = seq + APART
    for place = 1, #ids do
        seq = seq + APART
        local short, to = submitted[place], 2 * place
        if #short >= LONG_FROM then
            local rest
            short, rest = cut(short)
            scored(long, ids[place], rest)
        end
        kept_jobs[to - 1], kept_jobs[to] = ids[place], head .. pack_struct('<d', seq) .. tail .. short
    end
    write('HSET', JOB, kept_jobs)
    write('HSET', LONG, long)
    line_up(group, ids, first, kept_jobs)
end

local function keep(group, ids, submitted)
    if #ids == 0 then
        return
    end
    keep_jobs(group, ids, submitted)
    count(group.queue, group.status, #ids)
    if group.status == QUEUED then
        note_ready(group.queue, 0)
    else
        got_due[group.queue] = math.min(group.at, got_due[group.queue] or group.at)
    end
end

-- Notes what became of each job, and which ids were taken. No two jobs of a group have the same id.
local function submit_group(group, limit, emitted, outcomes, taken)
    local ids, status, before, first = ids_of(group), group.status, #outcomes, group.first - 1
    local room = FULL and not emitted and 0 or limit and room(group.queue, limit) or group.number
    local new, submitted, many = {}, {}, 0
    local standing = look_up('HMGET', JOB, ids)
    for place = 1, group.number do
        local outcome = status
        if standing[place] then
            outcome = 0
            taken[#taken + 1] = ids[place]
        elseif group.waits and group.waits[place] then
            outcome = -2 - group.waits[place]
        elseif many >= room then
            outcome = -1
        else
            many = many + 1
            new[many], submitted[many] = ids[place], ARGV[first + 2 * place]
        end
        outcomes[before + place] = outcome
    end
    if limit and many > 0 then
        waiting[group.queue] = waiting[group.queue] + many
    end
    keep(group, new, submitted)
end

-- All groups. What became of each job, and what is kept of those whose ids are taken.
local function submit_all()
    local groups, limit, outcomes, taken = tonumber(take()), tonumber(take()), {}, {}
    for _ = 1, groups do
        submit_group(read_group(), limit, false, outcomes, taken)
    end
    return outcomes, #taken > 0 and kept_jobs_of(taken) or taken
end
