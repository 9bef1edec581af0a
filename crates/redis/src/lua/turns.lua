-- Turns: in a queue that is shared by a kind of key, jobs that become ready wait in the line of their key, which is a gate named
-- turn:kind:value, and claims take from the lines in turn. A line's next start has a stamp in virtual time; the earliest goes, and
-- each start moves it on by what it costs a line of its weight (start-time fair queueing, as store::turns has it). All other
-- ready jobs of the queue are one more line, ''.
-- Who shares, and which weight a key has, is in the rules under '\1' and the gate; how many may wait in a queue under '\2' and its
-- gate, in how long its jobs rise by a level under '\3' and its gate.
local turns = {}
do
    local COST = 1048576

    local kinds, weights = {}, {}

    -- The kind of key that a queue is shared by.
    local function kind_of(queue)
        if kinds[queue] == nil then
            local said = gates.ruled()
            kinds[queue] = said and string.find(said, 's', 1, true) and redis.call('HGET', RULES, '\1queue:' .. queue)
        end
        return kinds[queue]
    end

    local function weight_of(line)
        if not weights[line] then
            local weight
            if line ~= '' and string.find(gates.ruled() or '', 'w', 1, true) then
                local key = sub(line, 6)
                local found = redis.call('HMGET', RULES, '\1key:' .. key, '\1keys:' .. string.match(key, '^[^:]*'))
                weight = tonumber(found[1] or found[2])
            end
            weights[line] = weight or 1
        end
        return weights[line]
    end

    local function stamped(queue, stamp, line)
        return queue .. '\0' .. pack_struct('>I8', stamp) .. line
    end

    -- The lines of a queue that are next, with their stamps.
    local function next_lines(queue, most)
        return redis.call('ZRANGE', TURNS, '[' .. queue .. '\0', '(' .. queue .. '\1', 'BYLEX', 'LIMIT', 0, most)
    end

    local function stamp_of(queue, member)
        return unpack_struct('>I8', member, #queue + 2), sub(member, #queue + 10)
    end

    local function any(queue)
        return #next_lines(queue, 1) > 0
    end

    -- Where the stamp of a line is now; nil where nobody waits any more.
    local function set(queue, line, stamp)
        local name = queue .. '\0' .. line
        local before = redis.call('HGET', STAMPS, name)
        if before then
            redis.call('ZREM', TURNS, stamped(queue, tonumber(before), line))
        end
        if stamp then
            redis.call('HSET', STAMPS, name, text(stamp))
            redis.call('ZADD', TURNS, 0, stamped(queue, stamp, line))
        elseif before then
            redis.call('HDEL', STAMPS, name)
        end
    end

    -- Somebody waits in a line: one that nobody waited in begins with whoever is next.
    local function join(queue, line)
        if redis.call('HEXISTS', STAMPS, queue .. '\0' .. line) == 0 then
            local first = next_lines(queue, 1)[1]
            set(queue, line, first and stamp_of(queue, first) or 0)
        end
    end

    local function member_of(queue, line, priority, seq, id)
        return queue .. '\0' .. line .. pack_struct('>BBBBI8', 0, 1, priority, 0, seq) .. id
    end

    local function range_of(queue, line)
        local waiting = queue .. '\0' .. line
        return '[' .. waiting .. '\0', '(' .. waiting .. '\1'
    end

    -- The line of a job, from what is kept of it, if its queue is shared by a kind that it has a key of.
    local function line_of(kind, first)
        for _, key in ipairs(gates.keys_of(first)) do
            if sub(key, 1, #kind + 1) == kind .. ':' then
                return 'turn:' .. key
            end
        end
    end

    local plain_any_ready, plain_line_up, plain_promote = any_ready, line_up, promote

    any_ready = function(queue, suspect)
        return plain_any_ready(queue, suspect) or suspect ~= 1 and any(queue)
    end

    -- New jobs of a queue that is shared, one after the other.
    if line_up then
        line_up = function(group, ids, first, kept_jobs)
            local kind = group.status == QUEUED and kind_of(group.queue)
            if not kind then
                return plain_line_up(group, ids, first, kept_jobs)
            end
            local numbered, waiting, joined = {}, {}, {}
            for place, id in ipairs(ids) do
                local seq, line = first + (place - 1) * APART, line_of(kind, kept_jobs[2 * place])
                scored(numbered, text(seq), id)
                if line then
                    joined[line] = true
                    scored(waiting, '0', member_of(group.queue, line, group.priority, seq, id))
                else
                    scored(ready_in, '0', group.queue .. pack_struct('>BBBI8', 0, 0, group.priority, seq) .. id)
                end
            end
            -- Before any of them joins: whoever has room knows of those that wait.
            note_ready(group.queue, 0)
            write('ZADD', ALL, numbered)
            write('ZADD', HELD, waiting)
            for line in pairs(joined) do
                join(group.queue, line)
            end
        end
    end

    promote = function(queue, most)
        local kind = kind_of(queue)
        if not kind then
            return plain_promote(queue, most)
        end
        return plain_promote(queue, most, function(job)
            local line = job.suspect == 0 and line_of(kind, firsts[job.id])
            if line then
                note_ready(queue, 0)
                job.status, job.at, job.updated = QUEUED, 0, now
                count(queue, QUEUED, 1)
                touch(job)
                redis.call('ZADD', HELD, 0, member_of(queue, line, job.priority, job.seq, job.id))
                join(queue, line)
            end
            return line
        end)
    end

    -- The first jobs of a line, which do not stand there any more, and whether others do. Those that were canceled are passed over.
    local function take_from(queue, line, most)
        local from, to = range_of(queue, line)
        local members = redis.call('ZRANGE', HELD, from, to, 'BYLEX', 'LIMIT', 0, text(math.min(most, CHUNK - 1) + 1))
        local ids, taken = {}, {}
        for place = 1, math.min(#members, most, CHUNK - 1) do
            named(taken, members[place])
            named(ids, sub(members[place], -16))
        end
        write('ZREM', HELD, taken)
        fetch(ids)
        local waiting = {}
        for _, id in ipairs(ids) do
            local job = find(id)
            if job and job.status == QUEUED then
                named(waiting, id)
            end
        end
        return waiting, #members > #ids
    end

    -- The next jobs of a queue, line by line; `pop` takes those that wait in none.
    local function in_turn(queue, most, pop)
        local chosen = {}
        if plain_any_ready(queue, 0) then
            join(queue, '')
        end
        while #chosen < most do
            local first, second = unpack(next_lines(queue, 2))
            if not first then
                break
            end
            local stamp, line = stamp_of(queue, first)
            local cost, number = math.floor(COST / weight_of(line)), most - #chosen
            if second then
                number = math.min(number, math.max(math.ceil((stamp_of(queue, second) - stamp) / cost), 1))
            end
            local some, stay
            if line == '' then
                some = pop(queue, 0, number)
                stay = plain_any_ready(queue, 0)
            else
                some, stay = take_from(queue, line, number)
            end
            for _, id in ipairs(some) do
                named(chosen, id)
            end
            set(queue, line, stay and stamp + #some * cost or nil)
        end
        return chosen
    end

    -- A job that waited has been canceled. By which kind its queue was shared when it came is not on record.
    local function withdraw(job, first)
        if not any(job.queue) then
            return
        end
        for _, key in ipairs(gates.keys_of(first)) do
            redis.call('ZREM', HELD, member_of(job.queue, 'turn:' .. key, job.priority, job.seq, job.id))
        end
    end

    -- A job that waited at a gate stands in the line again that it came from; false where it came from none.
    local function come_back(job, first)
        local kind = kind_of(job.queue)
        local line = kind and line_of(kind, first)
        if line then
            redis.call('ZADD', HELD, 0, member_of(job.queue, line, job.priority, job.seq, job.id))
            join(job.queue, line)
        end
        return line
    end

    turns.any, turns.in_turn, turns.withdraw, turns.come_back = any, in_turn, withdraw, come_back
end
