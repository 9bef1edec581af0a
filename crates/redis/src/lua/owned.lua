-- Whose jobs wait: while it is said of some owner how many may ('c' among the kinds of rules), each job that waits and has an owner
-- stands in `owned` too, so that one look counts an owner's, and one finds the oldest of the least urgent.
local owned = {}
do
    local OWNED = KEYS[32]
    -- What is to be written, by member: whether it is there then. And how many wait, of those owners that were looked at.
    local changes, numbers_of = {}, {}
    -- A job that becomes due waited before.
    local promoting = false
    local is_counted

    local function counted()
        if is_counted == nil then
            local said = gates and gates.ruled()
            if not gates then
                said = redis.call('HGET', RULES, '')
            end
            is_counted = string.find(said or '', 'c', 1, true) ~= nil
        end
        return is_counted
    end

    local function range_of(owner)
        return '[' .. owner .. '\0', '(' .. owner .. '\1'
    end

    local function note(id, owner, priority, seq, waits)
        if owner ~= '' then
            changes[owner .. pack_struct('>BBI8', 0, 9 - priority, seq) .. id] = waits
            numbers_of[owner] = numbers_of[owner] and numbers_of[owner] + (waits and 1 or -1)
        end
    end

    -- The owner of a job, from what was submitted.
    local function owner_of(submitted, from)
        return select(5, unpack_struct('<HIsss', submitted, from or 1))
    end

    -- The same of a job that is kept, from what is kept of it.
    local function note_kept(id, first, waits)
        local _, _, priority, seq = unpack_struct('<BdBd', first)
        note(id, owner_of(first, ORIGIN - 1), priority, seq, waits)
    end

    local function flush_owned()
        local put, out = {}, {}
        for member, waits in pairs(changes) do
            if waits then
                scored(put, '0', member)
            else
                named(out, member)
            end
        end
        write('ZREM', OWNED, out)
        write('ZADD', OWNED, put)
        changes = {}
    end

    -- How many jobs of an owner wait.
    local function waiting_of(owner)
        if not numbers_of[owner] then
            flush_owned()
            numbers_of[owner] = redis.call('ZLEXCOUNT', OWNED, range_of(owner))
        end
        return numbers_of[owner]
    end

    -- The job of an owner that makes room for a new one: of the least urgent the oldest.
    local function first_of(owner)
        flush_owned()
        local from, to = range_of(owner)
        local member = redis.call('ZRANGE', OWNED, from, to, 'BYLEX', 'LIMIT', 0, 1)[1]
        return member and find(sub(member, -16))
    end

    -- Jobs that are taken out of their line to run.
    local function start_all(ids)
        if counted() then
            for place, first in ipairs(look_up('HMGET', JOB, ids)) do
                if first then
                    note_kept(ids[place], first, false)
                end
            end
        end
    end

    local plain_leave, plain_stand, plain_promote, plain_line_up = leave, stand, promote, line_up
    local plain_flush = flush_jobs

    leave = function(job)
        if job.status <= SCHEDULED and not promoting and counted() then
            note(job.id, job.owner, job.priority, job.seq, false)
        end
        return plain_leave(job)
    end

    stand = function(job)
        if job.status <= SCHEDULED and not promoting and counted() then
            note(job.id, job.owner, job.priority, job.seq, true)
        end
        return plain_stand(job)
    end

    promote = function(queue, most)
        promoting = true
        local promoted = plain_promote(queue, most)
        promoting = false
        return promoted
    end

    if line_up then
        line_up = function(group, ids, first, kept_jobs)
            for place = 1, counted() and #ids or 0 do
                note_kept(ids[place], kept_jobs[2 * place], true)
            end
            return plain_line_up(group, ids, first, kept_jobs)
        end
    end

    flush_jobs = function()
        plain_flush()
        flush_owned()
    end

    -- Those of some jobs that wait. Where a job stands is the first byte of its state, or where it has none of what is kept of it.
    local function put_all(ids)
        local their_states = look_up('HMGET', STATE, ids)
        for place, first in ipairs(look_up('HMGET', JOB, ids)) do
            if first and string.byte(their_states[place] or first) <= SCHEDULED then
                note_kept(ids[place], first, true)
            end
        end
        flush_owned()
    end

    -- All members of a sorted set, by some at a time; `ids_of` says which jobs one is of.
    local function put_those_in(key, ids_of)
        local from, members = 0, nil
        repeat
            members = redis.call('ZRANGE', key, text(from), text(from + CHUNK - 1))
            local ids = {}
            for _, member in ipairs(members) do
                ids_of(member, ids)
            end
            put_all(ids)
            from = from + CHUNK
        until #members < CHUNK
    end

    -- Whether they are to be counted, now that rules have changed.
    local function is_wanted()
        is_counted = nil
        return counted()
    end

    -- All that wait, anew: the ready ones by blocks, those at gates, of which some may be gone from there, and those that are delayed.
    -- None where they are not to be counted.
    local function count_anew()
        local function last(member, ids)
            named(ids, sub(member, -16))
        end
        redis.call('DEL', OWNED)
        if not counted() then
            return
        end
        put_those_in(READY, function(block, ids)
            for place = #string.match(block, '^%Z*') + 12, #block, 16 do
                named(ids, sub(block, place, place + 15))
            end
        end)
        put_those_in(HELD, last)
        put_those_in(DUE, last)
    end

    owned.waiting_of, owned.first_of, owned.owner_of, owned.start_all = waiting_of, first_of, owner_of, start_all
    owned.counted, owned.is_wanted, owned.count_anew = counted, is_wanted, count_anew
end
