-- Unique jobs: who has or had their keys. In front of each group stands the key of its job, or '' where it is not unique; then
-- the statuses in which it holds that (a bit set), its period or '', and whether it replaces, extends and cancels running ones.
-- Outcomes besides submit's: the id of the job that stands, and 'r' and the id of the one that was replaced.
local ALL_STATES = 126

local plain_group, plain_submit = read_group, submit_group

local function bit(set, place)
    return math.floor(set / 2 ^ place) % 2 == 1
end

read_group = function()
    local key, unique = take(), nil
    if key ~= '' then
        unique = { key = key, states = tonumber(take()), period = tonumber(take()) }
        unique.replaces, unique.extends, unique.cancels_running = take() == '1', take() == '1', take() == '1'
    end
    local group = plain_group()
    group.unique = unique
    return group
end

-- `job` is nil for one that has been removed, whose name nobody would take away.
local function hold(unique, id, states, job)
    local over = unique.period and now + unique.period
    redis.call('HSET', UNIQUE, unique.key, pack_struct('<c16BBd', id, states, over and 1 or 0, over or 0))
    if job then
        redis.call('HSET', UNIQUE_OF, id, unique.key)
    end
    if over then
        redis.call('ZADD', UNIQUE_UNTIL, text(over), unique.key)
    else
        redis.call('ZREM', UNIQUE_UNTIL, unique.key)
    end
end

-- The id of the job that holds a key, the job if it is there, and the statuses in which it holds the key.
local function holder_of(unique)
    local held = redis.call('HGET', UNIQUE, unique.key)
    if not held then
        return nil
    end
    local id, states, ends, over = unpack_struct('<c16BBd', held)
    local job = find(id)
    local in_time = ends == 0 or now < over
    local in_state = ends == 1 and states == ALL_STATES
    if job then
        in_state = bit(states, job.status)
    end
    return in_time and in_state and id or nil, job, states
end

local function withdraw(job)
    leave(job)
    enter(job, CANCEL[job.status])
    if gates then
        gates.withdraw(job.id)
        turns.withdraw(job, firsts[job.id])
    end
    if waiting[job.queue] then
        waiting[job.queue] = waiting[job.queue] - 1
    end
end

-- What was changed before in this turn must stand where it is looked for.
local function look_anew()
    flush_jobs()
    kept, firsts, known = {}, {}, {}
end

local function gives_way(job, unique)
    if job.status <= SCHEDULED then
        return unique.replaces
    end
    return job.status == IN_PROGRESS and unique.cancels_running
end

-- Makes a job that is replaced give way: one that waits is canceled, one that runs is asked to stop.
local function dismiss(job)
    if job.status <= SCHEDULED then
        return withdraw(job)
    end
    request_cancel(job)
    -- The same turn may extend its lease.
    look_anew()
end

submit_group = function(group, limit, emitted, outcomes, taken)
    local unique, id = group.unique, ARGV[group.first]
    if not unique or redis.call('HEXISTS', JOB, id) == 1 then
        return plain_submit(group, limit, emitted, outcomes, taken)
    end
    look_anew()
    local former, job, states = holder_of(unique)
    local replaces = former and job and gives_way(job, unique)
    if former and not replaces then
        if unique.extends then
            hold(unique, former, states, job)
        end
        outcomes[#outcomes + 1] = former
        return
    end
    if replaces then
        -- Whoever is replaced while it waits makes room, in a queue that has too many as in any other.
        local leaves = job.status <= SCHEDULED and job.queue == group.queue and 1 or 0
        -- In one that drops, whoever leaves is the one that makes room.
        local full = limit and room(group.queue, limit) + leaves < 1 and not (group.drops and leaves == 1)
        if FULL and not emitted or full then
            outcomes[#outcomes + 1] = -1
            return
        end
        dismiss(job)
        plain_submit(group, nil, emitted, outcomes, taken)
        if waiting[group.queue] then
            waiting[group.queue] = waiting[group.queue] + 1
        end
    else
        plain_submit(group, limit, emitted, outcomes, taken)
    end
    if outcomes[#outcomes] > 0 then
        hold(unique, id, unique.states, true)
        if replaces then
            outcomes[#outcomes] = 'r' .. former
        end
    end
end
