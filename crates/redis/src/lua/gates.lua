-- Gates: rules, slots and buckets. A rule: paused, how many may run or -1, whether slots are kept between attempts, microseconds
-- between two starts or 0, how far a bucket may be ahead, for how long it is left to gather; then what readers read.
-- The field '' of the rules says, as long as anything is there, whether some are for keys or for handlers.
local gates = {}
do
    local RULE = '<BdBddd'
    local ANY = 18446744073709551616
    -- Where the queue begins in what is kept of a job from the beginning; name, owner and keys follow.
    local WORDS = 33

    -- What was looked at, and what is to be written.
    local terms_of, rules_at, taken, buckets, slots = {}, {}, {}, {}, {}
    -- Whether anybody waits anywhere, once that is known.
    local any_line
    -- Whether any job keeps slots that waits, once that is known.
    local some_slots
    local NONE = {}
    local taken_now, buckets_now, slots_now = {}, {}, {}
    local kinds_of_rules
    local opened = {}

    -- Whether there are rules, or traces of some.
    local function ruled()
        if kinds_of_rules == nil then
            kinds_of_rules = redis.call('HGET', RULES, '')
        end
        return kinds_of_rules
    end

    local function read_rule(gate)
        local packed = redis.call('HGET', RULES, gate)
        if not packed then
            return nil
        end
        local paused, running, in_order, interval, tolerance, patience = unpack_struct(RULE, packed)
        return {
            paused = paused == 1, running = running >= 0 and running or nil, in_order = in_order == 1,
            interval = interval > 0 and interval or nil, tolerance = tolerance, patience = patience,
        }
    end

    -- By the part of what is kept of jobs that says queue, handler, owner and keys, and by queue and handler, the gates that they
    -- have; by the kind of keys what is said of all.
    local gates_of_words, kinds = {}, {}

    -- Rules have changed, and this is what there are now.
    local function forget_rules(said)
        kinds_of_rules, terms_of, rules_at, gates_of_words, kinds = said, {}, {}, {}, {}
    end

    local function rule_at(gate)
        local known = rules_at[gate]
        if known == nil then
            known = read_rule(gate) or false
            rules_at[gate] = known
        end
        return known
    end

    -- What holds at a gate, with what is said of all keys of its kind; or nothing.
    local function combine(gate)
        local kind = string.match(gate, '^key:([^:]*):')
        local each = kind and 'keys:' .. kind or sub(gate, 1, 6) == 'owner:' and 'owners'
        if not each then
            return rule_at(gate)
        end
        local own = (not kind or string.find(ruled(), 'k', 1, true)) and rule_at(gate)
        local all = rule_at(each)
        if not own or not all then
            return own or all
        end
        local numbered, rated = own.running and own or all, own.interval and own or all
        return {
            paused = own.paused or all.paused, running = numbered.running, in_order = numbered.in_order,
            interval = rated.interval, tolerance = rated.tolerance, patience = rated.patience,
        }
    end

    local function terms(gate)
        local known = terms_of[gate]
        if known == nil then
            known = combine(gate) or false
            terms_of[gate] = known
        end
        return known
    end

    -- The gates of a queue and of everything need no slots: who runs there is counted anyway. But where jobs keep theirs between
    -- attempts, they do.
    local function is_counted(gate, rule)
        return not rule.in_order and (gate == '*' or sub(gate, 1, 6) == 'queue:')
    end

    local function running_at(gate)
        if gate ~= '*' then
            local queue = sub(gate, 7)
            return tonumber(redis.call('HGET', COUNTS, IN_PROGRESS .. queue) or 0) + counted_now(queue, IN_PROGRESS)
        end
        local all, counts = 0, redis.call('HGETALL', COUNTS)
        for place = 1, #counts, 2 do
            if sub(counts[place], 1, 1) == tostring(IN_PROGRESS) then
                all = all + tonumber(counts[place + 1])
            end
        end
        for queue in pairs(queue_changes) do
            all = all + counted_now(queue, IN_PROGRESS)
        end
        return all
    end

    -- How many slots are taken at gates where a number is set, looked up together.
    local function fetch_taken(gates_of_jobs)
        local wanted = {}
        for _, its in ipairs(gates_of_jobs) do
            for _, gate in ipairs(its) do
                local rule = not taken[gate] and terms(gate)
                if rule and rule.running then
                    taken[gate] = 0
                    named(wanted, gate)
                end
            end
        end
        for place, number in ipairs(look_up('HMGET', TAKEN, wanted)) do
            taken[wanted[place]] = tonumber(number or 0)
        end
    end

    local function taken_at(gate)
        if not taken[gate] then
            taken[gate] = tonumber(redis.call('HGET', TAKEN, gate) or 0)
        end
        return taken[gate]
    end

    local function set_taken(gate, number)
        taken[gate] = number
        taken_now[gate] = true
    end

    local function bucket_at(gate)
        if not buckets[gate] then
            buckets[gate] = tonumber(redis.call('ZSCORE', BUCKETS, gate) or 0)
        end
        return buckets[gate]
    end

    local function set_bucket(gate, full_at)
        buckets[gate] = full_at
        buckets_now[gate] = true
    end

    -- Whether any job keeps slots although it does not run.
    local function any_slots()
        if some_slots == nil then
            some_slots = redis.call('EXISTS', SLOTS) == 1
        end
        return some_slots
    end

    local function fetch_slots(ids)
        if not any_slots() then
            return
        end
        for place, gates in ipairs(look_up('HMGET', SLOTS, ids)) do
            if not slots[ids[place]] then
                slots[ids[place]] = {}
                for gate in string.gmatch(gates or '', '[^\n]+') do
                    slots[ids[place]][gate] = true
                end
            end
        end
    end

    -- The slots that a job kept when its last attempt ended, as a set. One that runs needs no record: it has a slot at each of its
    -- gates where a number is set.
    local function slots_of(id)
        if not slots[id] and any_slots() then
            fetch_slots({ id })
        end
        return slots[id] or NONE
    end

    local function flush_all()
        local put, out = {}, {}
        for gate in pairs(taken_now) do
            if taken[gate] > 0 then
                scored(put, gate, text(taken[gate]))
            else
                named(out, gate)
            end
        end
        write('HSET', TAKEN, put)
        write('HDEL', TAKEN, out)
        put, out = {}, {}
        for id in pairs(slots_now) do
            local gates = {}
            for gate in pairs(slots[id]) do
                named(gates, gate)
            end
            if #gates > 0 then
                scored(put, id, table.concat(gates, '\n'))
            else
                named(out, id)
            end
        end
        write('HSET', SLOTS, put)
        write('HDEL', SLOTS, out)
        put = {}
        for gate in pairs(buckets_now) do
            scored(put, text(buckets[gate]), gate)
        end
        write('ZADD', BUCKETS, put)
        taken_now, slots_now, buckets_now = {}, {}, {}
        some_slots = nil
    end

    -- How many more may pass, and when to ask again where that is known. One that has its slot already needs none.
    local function room_at(gate, rule, has_slot)
        if rule.paused then
            return 0
        end
        local free = ANY
        if rule.running and not has_slot then
            free = math.max(rule.running - (is_counted(gate, rule) and running_at(gate) or taken_at(gate)), 0)
        end
        if not rule.interval or free == 0 then
            return free
        end
        local full_at = bucket_at(gate)
        local left = now + rule.tolerance - math.max(full_at, now)
        local tokens = left < 0 and 0 or math.floor(left / rule.interval) + 1
        return math.min(free, tokens), full_at - rule.tolerance
    end

    -- How many of those that wait there should come back.
    local function room_back(gate)
        local rule = terms(gate)
        if not rule then
            return ANY
        end
        local room, opens = room_at(gate, rule, false)
        if rule.in_order then
            -- One that has its slot there already may wait for the bucket alone.
            local with_slot, bucket_opens = room_at(gate, rule, true)
            room, opens = math.max(room, math.min(taken_at(gate), with_slot)), bucket_opens
        end
        return room, opens
    end

    local function moment(at)
        return pack_struct('>I8', math.max(at, 0))
    end

    -- All who wait at a gate shall look again. Whether some of a queue are among them.
    local function open(gate, of)
        if any_line == nil then
            any_line = redis.call('EXISTS', LINES) == 1
        end
        if not any_line then
            return false
        end
        local found = false
        for _, line in ipairs(redis.call('ZRANGE', LINES, '[' .. gate .. '\0', '(' .. gate .. '\1', 'BYLEX')) do
            local queue = sub(line, #gate + 2)
            redis.call('ZADD', OPENS, 0, queue .. '\0' .. moment(now) .. gate)
            opened[queue] = true
            found = found or queue == of
        end
        return found
    end

    -- Jobs of a queue wait at a gate.
    local function wait(queue, gate, opens)
        any_line = true
        redis.call('ZADD', LINES, 0, gate .. '\0' .. queue)
        if opens then
            redis.call('ZADD', OPENS, 0, queue .. '\0' .. moment(opens) .. gate)
        end
    end

    -- When a queue should look again, and where.
    local function next_opening(queue)
        local first = redis.call('ZRANGE', OPENS, '[' .. queue .. '\0', '(' .. queue .. '\1', 'BYLEX', 'LIMIT', 0, 1)[1]
        if first then
            return unpack_struct('>I8', first, #queue + 2), sub(first, #queue + 10), first
        end
    end

    -- The keys of a job, from what is kept of it; its queue and its handler.
    local function keys_of(first)
        local _, _, _, _, _, length, _, queue, name, _, over = unpack_struct(FIRST, first)
        local keys = {}
        if over <= ORIGIN + length then
            for key in string.gmatch(unpack_struct('s', first, over), '[^\n]+') do
                named(keys, key)
            end
        end
        return keys, queue, name
    end

    -- What is said of all keys of a kind, where nothing is said of any of them by itself.
    local function terms_of_kind(kind)
        local known = kinds[kind]
        if known == nil then
            known = rule_at('keys:' .. kind)
            kinds[kind] = known
        end
        return known
    end

    -- Adds the gates of keys at which there are rules.
    local function add_keys(its, keys)
        local by_themselves = string.find(ruled(), 'k', 1, true)
        for key, kind in string.gmatch(keys, '(([^:\n]*):[^\n]*)') do
            local gate = 'key:' .. key
            if terms_of[gate] == nil and not by_themselves then
                terms_of[gate] = terms_of_kind(kind)
            end
            if terms(gate) then
                its[#its + 1] = gate
            end
        end
    end

    -- The gates of all jobs of a queue and a handler at which there are rules that hold for each job by itself.
    local function gates_of_all(queue, name)
        local its = {}
        for _, gate in ipairs({ '*', 'queue:' .. queue, string.find(ruled(), 'h', 1, true) and 'handler:' .. name }) do
            local rule = terms(gate)
            if rule and not is_counted(gate, rule) then
                named(its, gate)
            end
        end
        return its
    end

    -- The gates of a job at which there are rules that hold for each job by itself. Jobs that are alike have the same list.
    local function gates_of(first)
        local words = sub(first, WORDS, ORIGIN + unpack_struct('<H', first, ORIGIN - 1))
        local known = gates_of_words[words]
        if known then
            return known
        end
        local head, keys = string.match(words, '^(%Z*%z%Z*)%z%Z*%z(%Z*)')
        local of_all = gates_of_words[head]
        if not of_all then
            of_all = gates_of_all(string.match(head, '^(%Z*)%z(%Z*)'))
            gates_of_words[head] = of_all
        end
        if keys == '' then
            known = of_all
        else
            known = { unpack(of_all) }
            add_keys(known, keys)
        end
        gates_of_words[words] = known
        return known
    end

    -- A job keeps these slots while it waits, or none.
    local function keep_slots(id, kept_gates)
        slots[id] = kept_gates
        slots_now[id] = true
    end

    -- Takes a slot at each gate where a number is set.
    local function count_slots(its)
        for _, gate in ipairs(its) do
            local rule = terms(gate)
            if rule and rule.running then
                set_taken(gate, taken_at(gate) + 1)
            end
        end
    end

    -- Where a job is stopped, if it may not pass, when to ask again, and whether it has its slot there.
    local function closed_to(id, its)
        local own = slots_of(id)
        for _, gate in ipairs(its) do
            local rule = terms(gate)
            if rule.paused or rule.interval then
                local room, opens = room_at(gate, rule, own[gate])
                if room == 0 then
                    return gate, opens, own[gate]
                end
            elseif rule.running and not own[gate] and taken_at(gate) >= rule.running then
                return gate, nil, nil
            end
        end
    end

    -- A job starts.
    local function pass(id, its)
        local own = slots_of(id)
        for _, gate in ipairs(its) do
            local rule = terms(gate)
            if rule.interval then
                set_bucket(gate, math.max(bucket_at(gate), now) + rule.interval)
            end
            if rule.running and not own[gate] then
                set_taken(gate, taken_at(gate) + 1)
            end
        end
        if next(own) then
            keep_slots(id, {})
        end
    end

    local function free_slot(gate)
        set_taken(gate, math.max(taken_at(gate) - 1, 0))
        open(gate)
    end

    -- An attempt of a job has ended, and it will have another or none.
    local function leave_all(id, its, finished)
        local kept_gates, some = {}, false
        for _, gate in ipairs(its) do
            local rule = terms(gate)
            if rule and rule.running then
                if finished or not rule.in_order then
                    free_slot(gate)
                else
                    kept_gates[gate], some = true, true
                end
            end
        end
        if some or any_slots() then
            keep_slots(id, kept_gates)
        end
    end

    -- Attempts of these jobs have ended, and whether they will have others.
    local function leave_many(ids, finished)
        if redis.call('EXISTS', TAKEN, SLOTS) == 0 then
            return
        end
        fetch_into(firsts, JOB, ids)
        local of_jobs = {}
        for place, id in ipairs(ids) do
            of_jobs[place] = gates_of(firsts[id])
        end
        fetch_taken(of_jobs)
        for place, id in ipairs(ids) do
            leave_all(id, of_jobs[place], finished[place])
        end
    end

    -- Attempts have ended in these queues.
    local function open_lines(queues)
        local all
        for queue in pairs(queues) do
            local gate = 'queue:' .. queue
            if terms(gate) and is_counted(gate, terms(gate)) then
                open(gate)
            end
            all = all or terms('*') and is_counted('*', terms('*'))
        end
        if all then
            open('*')
        end
    end

    -- So many jobs of a queue start: the gates of the queue and of everything give their tokens.
    local function pass_lines(queue, number)
        for _, gate in ipairs({ '*', 'queue:' .. queue }) do
            local rule = number > 0 and terms(gate)
            if rule and rule.interval and is_counted(gate, rule) then
                set_bucket(gate, math.max(bucket_at(gate), now) + number * rule.interval)
            end
        end
    end

    -- Whether there are rules for queues and everything only, which hold for all jobs of a queue alike.
    local function only_lines(queue)
        local function alike(gate)
            return not terms(gate) or is_counted(gate, terms(gate))
        end
        return string.find(ruled() or '', 'l', 1, true) and alike('*') and alike('queue:' .. queue)
            and not any_slots()
    end

    -- A job will not pass, though it may have come back from a gate for the room there. Whether others of its queue shall look.
    local function pass_on(gates, queue)
        local opened_for_it = false
        for _, gate in ipairs(gates) do
            local rule = terms(gate)
            if not rule or room_at(gate, rule, false) > 0 then
                opened_for_it = open(gate, queue) or opened_for_it
            end
        end
        return opened_for_it
    end

    -- A job is submitted: for how long its owner has to wait, if it has submitted as many as it may. `first` is what is kept of it.
    local function submits(first)
        local _, _, _, _, _, _, _, _, _, owner = unpack_struct(FIRST, first)
        local gate = 'owner:' .. owner
        local rule = owner ~= '' and terms(gate)
        if not rule or not rule.interval then
            return nil
        end
        local room, opens = room_at(gate, rule, false)
        if room == 0 then
            return math.max(opens - now, 0)
        end
        set_bucket(gate, math.max(bucket_at(gate), now) + rule.interval)
    end

    -- Whether what is said at a gate holds at another: at itself, at a key of its kind, or at an owner.
    local function covers(gate, other)
        local kind = string.match(gate, '^keys:(.*)$')
        return gate == other or gate == 'owners' and sub(other, 1, 6) == 'owner:'
            or kind and sub(other, 1, #kind + 5) == 'key:' .. kind .. ':'
    end

    -- A job is nowhere held any more, as far as is known of its gates.
    local function let_loose(job, its)
        for _, gate in ipairs(its) do
            for behind = 0, 1 do
                local place = pack_struct('>BBBBI8', 0, behind, job.priority, job.suspect, job.seq)
                redis.call('ZREM', HELD, job.queue .. '\0' .. gate .. place .. job.id)
            end
        end
    end

    -- A job that waited has ended.
    local function withdraw(id)
        if ruled() then
            local its, job = gates_of(firsts[id]), find(id)
            let_loose(job, its)
            -- It may have been left to others there, where no rule is.
            let_loose(job, { 'handler:' .. job.name })
            for gate in pairs(slots_of(id)) do
                free_slot(gate)
                keep_slots(id, {})
            end
            pass_on(its)
            flush_all()
        end
    end

    local plain_announce = announce

    -- Wakes others when a gate was opened at which they should look.
    announce = function(claimed)
        for queue in pairs(opened) do
            local at = next_opening(queue)
            if at and at <= now then
                return redis.call('PUBLISH', CHANNEL, 'ready')
            end
        end
        return plain_announce(claimed)
    end

    gates.ANY, gates.forget_rules, gates.keep_slots = ANY, forget_rules, keep_slots
    gates.ruled, gates.read_rule, gates.terms, gates.set_taken, gates.fetch_taken = ruled, read_rule, terms, set_taken, fetch_taken
    gates.slots_of, gates.fetch_slots, gates.flush, gates.room_at = slots_of, fetch_slots, flush_all, room_at
    gates.room_back, gates.bucket_at, gates.set_bucket, gates.open = room_back, bucket_at, set_bucket, open
    gates.wait, gates.next_opening, gates.of, gates.count_slots = wait, next_opening, gates_of, count_slots
    gates.closed_to, gates.pass, gates.leave, gates.pass_on, gates.covers = closed_to, pass, leave_many, pass_on, covers
    gates.withdraw, gates.keys_of, gates.submits = withdraw, keys_of, submits
    gates.open_lines, gates.pass_lines, gates.only_lines = open_lines, pass_lines, only_lines
end
