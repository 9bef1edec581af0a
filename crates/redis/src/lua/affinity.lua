-- Affinity: claims for some handlers. Jobs of others wait at their handlers' gates for somebody who serves those, whether rules are
-- there or not, and a claim looks at the gates of handlers only that it serves.
local affinity = {}
do
    -- How many blocks or openings are read at once where some may be passed over.
    local PAGE = 16

    -- The handlers that the claim serves, where it does not serve all, and the queues in which it left jobs to others.
    local served, left = nil, {}

    -- Takes the handlers that a claim names from behind its queues. Whether it names some.
    local function begin(queues)
        local last = queues[#queues] or ''
        if sub(last, 1, 1) == '\1' then
            queues[#queues], served = nil, {}
            for name in string.gmatch(last, '[^\1\n]+') do
                served[name] = true
            end
        end
        return served ~= nil
    end

    local function is_for_some()
        return served ~= nil
    end

    -- What was submitted of those not looked at yet.
    local function fetch_firsts(ids)
        local unknown = {}
        for _, id in ipairs(ids) do
            if firsts[id] == nil then
                named(unknown, id)
            end
        end
        fetch_into(firsts, JOB, unknown)
    end

    local function name_of(id)
        local _, _, name = gates.keys_of(firsts[id])
        return name
    end

    local function serves(id)
        return not served or served[name_of(id)]
    end

    -- The gate where a job is left to others, and its other gates.
    local function leave_at(queue, id, its)
        local gate, others = 'handler:' .. name_of(id), {}
        for _, other in ipairs(its) do
            if other ~= gate then
                named(others, other)
            end
        end
        if not next(left) then
            redis.call('HSETNX', RULES, '', '')
        end
        left[queue] = true
        return gate, others
    end

    -- When a claim should look again on behalf of a queue, and where.
    local function next_opening(queue)
        if not served then
            return gates.next_opening(queue)
        end
        local offset, some = 0, nil
        repeat
            some = redis.call('ZRANGE', OPENS, '[' .. queue .. '\0', '(' .. queue .. '\1', 'BYLEX', 'LIMIT', offset, PAGE)
            for _, opening in ipairs(some) do
                local gate = sub(opening, #queue + 10)
                if sub(gate, 1, 8) ~= 'handler:' or served[sub(gate, 9)] then
                    return unpack_struct('>I8', opening, #queue + 2), gate, opening
                end
            end
            offset = offset + PAGE
        until #some < PAGE
    end

    -- How many ready jobs to take out of their line so that `room` of them are of handlers that the claim serves, as far as it looks:
    -- others may be in front of those.
    local function reach(queue, suspect, room)
        if not served then
            return room
        end
        local from, to = ready_range(queue, suspect)
        local seen, found, offset, head, blocks = 0, 0, 0, #queue + 11, nil
        repeat
            blocks = redis.call('ZRANGE', READY, from, to, 'BYLEX', 'LIMIT', offset, PAGE)
            for _, block in ipairs(blocks) do
                local ids = {}
                for place = head + 1, #block, 16 do
                    named(ids, sub(block, place, place + 15))
                end
                fetch_firsts(ids)
                for _, id in ipairs(ids) do
                    seen = seen + 1
                    found = found + (firsts[id] and serves(id) and 1 or 0)
                    if found == room then
                        return seen
                    end
                end
            end
            offset = offset + PAGE
        until #blocks < PAGE or seen >= CHUNK
        return seen
    end

    local plain_announce = announce

    -- Wakes those who serve what has become ready in this turn, and was left to them.
    announce = function(claimed)
        for queue in pairs(left) do
            if got_ready[queue] ~= nil then
                return redis.call('PUBLISH', CHANNEL, 'ready')
            end
        end
        return plain_announce(claimed)
    end

    affinity.begin, affinity.is_for_some, affinity.serves, affinity.leave_at = begin, is_for_some, serves, leave_at
    affinity.fetch_firsts, affinity.next_opening, affinity.reach = fetch_firsts, next_opening, reach
end
