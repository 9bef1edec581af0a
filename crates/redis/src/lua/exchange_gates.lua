-- A turn where rules are set: what ends frees its slots, and a claim passes over jobs that may not start. They wait at their
-- gate, and come back into the line when there may be room.
do
    -- Attempts that ended, and whether they were the last.
    local ended, finished = {}, {}
    local plain_settle_one, plain_settle_all = settle_one, settle_all

    settle_one = function(id, token, result, told)
        local status = plain_settle_one(id, token, result, told)
        if status > 0 then
            named(ended, id)
            named(finished, status > IN_PROGRESS)
        end
        return status
    end

    settle_all = function(number)
        local fates = plain_settle_all(number)
        if gates.ruled() and #ended > 0 then
            gates.leave(ended, finished)
            gates.open_lines(queue_changes)
        end
        return fates
    end

    local plain_submit_group = submit_group

    -- For how long the owners of jobs have to wait that may not submit them now, by place. Each new job counts, whatever becomes of
    -- it.
    local function waits_of(group)
        local waits, ids = {}, {}
        for place = 1, group.number do
            ids[place] = ARGV[group.first - 2 + 2 * place]
        end
        for place, standing in ipairs(look_up('HMGET', JOB, ids)) do
            -- As it will be kept, but for where it stands.
            waits[place] = not standing
                and gates.submits(string.rep('\0', ORIGIN - 2) .. ARGV[group.first - 1 + 2 * place])
        end
        gates.flush()
        return waits
    end

    -- How many may wait in a queue, and whether one of them makes room for a new one.
    local function backlog_of(queue)
        local said = string.find(gates.ruled() or '', 'b', 1, true) and redis.call('HGET', RULES, '\2queue:' .. queue)
        if said then
            local most, drops = string.match(said, '^(%d+) (%d)$')
            return tonumber(most), drops == '1'
        end
    end

    -- The last of those in a range that still wait; others have no business there.
    local function last_waiting(line, from, to)
        while true do
            local member = redis.call('ZRANGE', line, to, from, 'BYLEX', 'REV', 'LIMIT', 0, 1)[1]
            local job = member and find(sub(member, -16))
            if not member or job and job.status <= SCHEDULED then
                return job
            end
            redis.call('ZREM', line, member)
        end
    end

    -- The first of the least urgent ready jobs.
    local function oldest_ready(queue)
        local from, to = ready_range(queue, 0)
        local last = redis.call('ZRANGE', READY, to, from, 'BYLEX', 'REV', 'LIMIT', 0, 1)[1]
        if last then
            local level, head = sub(last, 1, #queue + 3), #queue + 11
            local first = redis.call('ZRANGE', READY, '[' .. level, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
            return find(sub(first, head + 1, head + 16))
        end
    end

    -- The job of a queue that makes room for a new one: the oldest of the least urgent that are ready, or another one that waits.
    local function drops_first(queue)
        local from, to = '[' .. queue .. '\0', '(' .. queue .. '\1'
        local suspects_from, suspects_to = ready_range(queue, 1)
        return oldest_ready(queue) or last_waiting(HELD, from, to) or last_waiting(READY, suspects_from, suspects_to)
            or last_waiting(DUE, from, to)
    end

    -- A job of a group that found its queue full is kept in place of one that waits, if any does. What becomes of it.
    local function in_place_of_another(group, place, taken)
        flush_jobs()
        kept, firsts, known = {}, {}, {}
        local oldest = drops_first(group.queue)
        if not oldest then
            return -1
        end
        withdraw(oldest)
        local one, outcomes = {
            number = 1, priority = group.priority, queue = group.queue, first = group.first + 2 * (place - 1),
            status = group.status, at = group.at, unique = group.unique,
        }, {}
        -- One for one, however many wait.
        plain_submit_group(one, math.huge, false, outcomes, taken)
        local outcome = outcomes[1]
        return type(outcome) == 'number' and outcome > 0 and 'r' .. oldest.id or outcome
    end

    -- How many jobs of an owner may wait, and whether one of them makes room for a new one.
    local function backlog_of_owner(owner)
        local said = owner ~= '' and redis.call('HMGET', RULES, '\2owner:' .. owner, '\2owners')
        if said and (said[1] or said[2]) then
            local most, drops = string.match(said[1] or said[2], '^(%d+) (%d)$')
            return tonumber(most), drops == '1'
        end
    end

    -- Whether the jobs of a group may be more than their owners may have.
    local function may_be_over(group)
        local numbers = {}
        for place = 1, owned.counted() and group.number or 0 do
            local owner = owned.owner_of(ARGV[group.first - 1 + 2 * place])
            numbers[owner] = (numbers[owner] or 0) + 1
        end
        for owner, number in pairs(numbers) do
            local most = backlog_of_owner(owner)
            if most and owned.waiting_of(owner) + number > most then
                return true
            end
        end
        return false
    end

    -- The job that a new one of a group replaces because it is the same, if any is; false where that stands.
    local function former_of(group)
        local former, job = nil, nil
        if group.unique then
            former, job = holder_of(group.unique)
        end
        if former and not (job and gives_way(job, group.unique)) then
            return false
        end
        return former and job or nil
    end

    local function has_room(most, drops, number, leaving)
        return drops and leaving > 0 or not most or number < most + leaving
    end

    local function one_in(job, where, which)
        return job and job.status <= SCHEDULED and job[where] == which and 1 or 0
    end

    -- Whether a job finds room in its queue, where some leave.
    local function finds_room(queue, most, drops, leaving)
        return has_room(most, drops, most and most - room(queue, most) or 0, leaving) or drops and drops_first(queue)
    end

    -- Keeps the one job of a group whose owner may have too many by then, perhaps in place of one that waits.
    local function submit_bounded(group, limit, drops, outcomes, taken)
        local id, owner = ARGV[group.first], owned.owner_of(ARGV[group.first + 1])
        local most, one_for_one = backlog_of_owner(owner)
        look_anew()
        local former = redis.call('HEXISTS', JOB, id) == 0 and former_of(group)
        local oldest
        if most and not FULL and former ~= false and not (group.waits and group.waits[1]) then
            local leaving = one_in(former, 'owner', owner)
            if not has_room(most, one_for_one, owned.waiting_of(owner), leaving) then
                oldest = one_for_one and owned.first_of(owner)
                if not oldest then
                    outcomes[#outcomes + 1] = 'o'
                    return
                end
                leaving = one_in(former, 'queue', group.queue) + one_in(oldest, 'queue', group.queue)
                if not finds_room(group.queue, limit, drops, leaving) then
                    outcomes[#outcomes + 1] = -1
                    return
                end
                -- Whoever leaves the queue makes room there, too.
                limit = drops and leaving > 0 and math.huge or limit
                withdraw(oldest)
            end
        end
        plain_submit_group(group, limit, false, outcomes, taken)
        if drops and not FULL and outcomes[#outcomes] == -1 then
            outcomes[#outcomes] = in_place_of_another(group, 1, taken)
        end
        if oldest and not former then
            outcomes[#outcomes] = 'r' .. oldest.id
        end
    end

    -- The jobs of a group, each by itself.
    local function submit_each(group, limit, drops, outcomes, taken)
        for place = 1, group.number do
            submit_bounded({
                number = 1, priority = group.priority, queue = group.queue, first = group.first + 2 * (place - 1),
                status = group.status, at = group.at, unique = group.unique, drops = drops,
                waits = group.waits and { group.waits[place] },
            }, limit, drops, outcomes, taken)
        end
    end

    submit_group = function(group, limit, emitted, outcomes, taken)
        if emitted then
            return plain_submit_group(group, limit, emitted, outcomes, taken)
        end
        if string.find(gates.ruled() or '', 'o', 1, true) then
            group.waits = waits_of(group)
            if group.unique and group.waits[1] then
                outcomes[#outcomes + 1] = -2 - group.waits[1]
                return
            end
        end
        local most, drops = backlog_of(group.queue)
        most = most and math.min(most, limit or most) or limit
        group.drops = drops
        if may_be_over(group) then
            return submit_each(group, most, drops, outcomes, taken)
        end
        local before = #outcomes
        plain_submit_group(group, most, emitted, outcomes, taken)
        for place = 1, drops and not FULL and group.number or 0 do
            if outcomes[before + place] == -1 then
                outcomes[before + place] = in_place_of_another(group, place, taken)
            end
        end
    end
end

-- Claims, in a block of their own: a script may not have more than 200 names at a time.
do
    local PASSED_OVER_MAX, TAKEN_BACK_MAX = 1000, 1000

    local stopped_early = false
    local plain_claim, plain_outlook = claim, outlook

    local function held_range(queue, gate)
        local line = queue .. '\0' .. gate
        return '[' .. line .. '\0', '(' .. line .. '\1', #line
    end

    -- A job waits at a gate: those that have their slots there first, then by priority and number. Whether others of its line
    -- have its room.
    local function hold(queue, suspect, id, its, gate, opens, has_slot)
        local _, _, priority, seq = unpack_struct('<BdBd', firsts[id])
        local place = pack_struct('>BBBBI8', 0, has_slot and 0 or 1, priority, suspect, seq)
        redis.call('ZADD', HELD, 0, queue .. '\0' .. gate .. place .. id)
        gates.wait(queue, gate, opens)
        return gates.pass_on(its, queue)
    end

    -- The same at its handler's gate, for somebody who serves it. The moment to look is always the same, which is over: one look for
    -- however many wait.
    local function leave_to_others(queue, suspect, id, its)
        local gate, others = affinity.leave_at(queue, id, its)
        return hold(queue, suspect, id, others, gate, 0, gates.slots_of(id)[gate])
    end

    -- A job that was taken out of its line stands there again.
    local function put_back(queue, suspect, id)
        local _, _, priority, seq = unpack_struct('<BdBd', firsts[id])
        local job = { id = id, queue = queue, priority = priority, seq = seq }
        if suspect == 1 or not turns.come_back(job, firsts[id]) then
            redis.call('ZADD', READY, 0, queue .. pack_struct('>BBBI8', 0, suspect, priority, seq) .. id)
        end
    end

    -- Those that have waited at a gate stand in their line again, but for those that were canceled meanwhile.
    local function take_back(members, most, before, queue)
        local ids, number = {}, 0
        for place = 1, math.min(#members, most) do
            named(ids, sub(members[place], -16))
        end
        fetch(ids)
        for place, id in ipairs(ids) do
            redis.call('ZREM', HELD, members[place])
            local _, priority, suspect, seq = unpack_struct('>BBBI8', members[place], before + 2)
            local job = find(id)
            if job and job.status == QUEUED and job.seq == seq then
                number = number + 1
                if suspect == 1 or not turns.come_back(job, firsts[id]) then
                    redis.call('ZADD', READY, 0, queue .. pack_struct('>BBBI8', 0, suspect, priority, seq) .. id)
                end
            end
        end
        return number
    end

    -- Takes those back for whom there may be room now, from each gate as many as the claim may take. How many they were.
    local function look_again(queue, limit)
        local all, stay = 0, {}
        while all < TAKEN_BACK_MAX do
            local at, gate, opening = affinity.next_opening(queue)
            if not at or at > now then
                break
            end
            redis.call('ZREM', OPENS, opening)
            local room, opens = gates.room_back(gate)
            local most = math.min(room, math.max(limit, 1))
            local from, to, before = held_range(queue, gate)
            most = math.min(most, CHUNK - 1)
            local back, members, wanted = 0, nil, nil
            repeat
                wanted = most - back
                members = redis.call('ZRANGE', HELD, from, to, 'BYLEX', 'LIMIT', 0, text(wanted + 1))
                back = back + take_back(members, wanted, before, queue)
            until back == most or #members <= wanted
            all = all + back
            if #members <= wanted then
                redis.call('ZREM', LINES, gate .. '\0' .. queue)
            else
                -- Later than now: those who came back have to pass before there is less room.
                named(stay, { gate, room > most and now or opens and math.max(opens, now + 1) })
            end
        end
        -- Not before, or those gates would be looked at again and again.
        for _, its in ipairs(stay) do
            gates.wait(queue, its[1], its[2])
        end
        return all
    end

    -- How many jobs of a queue may pass its own gate and that of everything. Where jobs keep their slots one of them may pass
    -- although there is no room.
    local function room_for(queue)
        local least = gates.ANY
        for _, gate in ipairs({ '*', 'queue:' .. queue }) do
            local rule = gates.terms(gate)
            if rule and not rule.in_order then
                local room, opens = gates.room_at(gate, rule, false)
                if room == 0 then
                    gates.wait(queue, gate, opens)
                end
                least = math.min(least, room)
            end
        end
        return least
    end

    local plain_kept_jobs_of = kept_jobs_of

    -- What was looked at to find the gates of jobs is not fetched again.
    kept_jobs_of = function(ids)
        local kept_jobs = {}
        for place, id in ipairs(ids) do
            if not firsts[id] then
                return plain_kept_jobs_of(ids)
            end
            kept_jobs[place] = firsts[id]
        end
        return redis.call('EXISTS', LONG) == 1 and plain_kept_jobs_of(ids) or kept_jobs
    end

    -- Those that may pass, of jobs that were taken out of their line; how many were passed over. Behind one that handed its room
    -- on to others nobody passes any more, but stands in its line again.
    local function those_that_pass(queue, suspect, ids)
        if not affinity.is_for_some() and (gates.ruled() == '' or gates.only_lines(queue)) then
            gates.pass_lines(queue, #ids)
            return ids, 0
        end
        local passed, passed_over = {}, 0
        affinity.fetch_firsts(ids)
        gates.fetch_slots(ids)
        local of_jobs, ruled = {}, {}
        for _, id in ipairs(ids) do
            of_jobs[id] = firsts[id] and gates.of(firsts[id])
            ruled[#ruled + 1] = of_jobs[id] or nil
        end
        gates.fetch_taken(ruled)
        local handed_on = false
        for _, id in ipairs(ids) do
            local its = of_jobs[id]
            if its and not affinity.serves(id) then
                passed_over = passed_over + 1
                handed_on = leave_to_others(queue, suspect, id, its) or handed_on
            elseif its then
                local gate, opens, has_slot = gates.closed_to(id, its)
                if gate then
                    passed_over = passed_over + 1
                    handed_on = hold(queue, suspect, id, its, gate, opens, has_slot) or handed_on
                elseif handed_on then
                    put_back(queue, suspect, id)
                else
                    gates.pass(id, its)
                    named(passed, id)
                end
            end
        end
        gates.pass_lines(queue, #passed)
        return passed, passed_over
    end

    local function outlook_of_gates(queues, next_due)
        local more = 0
        for _, queue in ipairs(queues) do
            local at, gate = affinity.next_opening(queue)
            local may_go = at and at <= now
            if not may_go and any_ready(queue) then
                may_go = room_for(queue) > 0
                -- Those who wait for room of their line have just said so.
                at, gate = affinity.next_opening(queue)
            end
            if may_go then
                more = 1
            elseif at then
                local rule = gates.terms(gate)
                local pause = at - now + (rule and rule.interval and rule.patience or 0)
                if next_due < 0 or pause < next_due then
                    next_due = pause
                end
            end
        end
        return more, next_due
    end

    -- In how long jobs of a queue rise by one level of priority.
    local function aging_of(queue)
        return string.find(gates.ruled() or '', 'a', 1, true) and tonumber(redis.call('HGET', RULES, '\3queue:' .. queue))
    end

    -- The first ids of a level, which stay in their line, and when their jobs were accepted.
    local function head_of(queue, level, most)
        local from, to = ready_range(queue, 0, level)
        local ids, moments, head = {}, {}, #queue + 11
        for _, block in ipairs(redis.call('ZRANGE', READY, from, to, 'BYLEX', 'LIMIT', 0, most)) do
            for place = head + 1, #block, 16 do
                ids[#ids + 1] = sub(block, place, place + 15)
            end
            if #ids >= most then
                break
            end
        end
        for place, first in ipairs(look_up('HMGET', JOB, ids)) do
            moments[place] = first and select(5, unpack_struct('<BdBdd', first)) or now
        end
        return ids, moments
    end

    -- The next ids of a queue whose jobs rise by one level in every span, as store::aging has it; out of their line.
    local function pop_by_age(queue, most, span)
        local heads, taken, chosen = {}, {}, {}
        for level = 0, 9 do
            local ids, moments = head_of(queue, level, most)
            heads[level], taken[level] = { ids = ids, moments = moments }, 0
        end
        while #chosen < most do
            local first, due
            for level = 0, 9 do
                local accepted = heads[level].moments[taken[level] + 1]
                if accepted and (not first or accepted + level * span < due) then
                    first, due = level, accepted + level * span
                end
            end
            if not first then
                break
            end
            taken[first] = taken[first] + 1
            named(chosen, heads[first].ids[taken[first]])
        end
        for level = 0, 9 do
            if taken[level] > 0 then
                pop(queue, 0, taken[level], level)
            end
        end
        return chosen
    end

    -- The next ids of a queue, out of their line.
    local function pop_next(queue, suspect, room)
        if suspect == 0 and turns.any(queue) then
            return turns.in_turn(queue, room, pop)
        end
        local span = suspect == 0 and aging_of(queue)
        if span then
            return pop_by_age(queue, room, span)
        end
        return pop(queue, suspect, affinity.reach(queue, suspect, room))
    end

    -- Whether no suspect is ready, and none can come back from a gate.
    local function no_suspects(queue)
        local at = affinity.next_opening(queue)
        return not any_ready(queue, 1) and not (at and at <= now)
    end

    local function claim_from(queue, suspect, all, given, limit, lease, worker)
        local passed_over = 0
        while passed_over < PASSED_OVER_MAX do
            local left = all - #given / 3
            if left <= 0 or suspect == 1 and no_suspects(queue) then
                break
            end
            local back = look_again(queue, limit)
            local room = math.min(left, room_for(queue))
            local ids = room > 0 and pop_next(queue, suspect, room) or {}
            -- Those who came back are seen by now; where suspects are looked for, the others would come back one and all.
            if #ids == 0 and (suspect == 1 or back == 0) then
                break
            end
            local passed, over = those_that_pass(queue, suspect, ids)
            passed_over = passed_over + over
            stopped_early = stopped_early or passed_over >= PASSED_OVER_MAX
            owned.start_all(passed)
            start(queue, passed, lease, worker, given)
            -- What was looked at before stands elsewhere now.
            flush_jobs()
            kept, known = {}, {}
        end
    end

    claim = function(most, suspects, lease, worker, queues)
        local nothing_holds = not gates.ruled()
        -- Nothing is left of the rules that there were, nor of jobs that were left to others.
        if gates.ruled() == '' and redis.call('EXISTS', HELD, SLOTS) == 0 then
            redis.call('DEL', RULES, LINES, OPENS, BUCKETS, TAKEN, TURNS, STAMPS)
            nothing_holds = true
        end
        if not affinity.begin(queues) and nothing_holds then
            return plain_claim(most, suspects, lease, worker, queues)
        end
        if nothing_holds then
            gates.forget_rules('')
        end
        local given, promoted = {}, 0
        flush_jobs()
        kept, firsts, known = {}, {}, {}
        redis.call('ZREMRANGEBYSCORE', BUCKETS, '-inf', text(now))
        for _, queue in ipairs(queues) do
            promoted = promoted + promote(queue, PROMOTED_MAX)
        end
        if promoted > 0 then
            flush_jobs()
            kept, known = {}, {}
        end
        for suspect = 1, 0, -1 do
            local all = suspect == 1 and math.min(suspects, most) or most
            for _, queue in ipairs(queues) do
                claim_from(queue, suspect, all, given, most, lease, worker)
            end
        end
        local _, next_due = plain_outlook(queues)
        local more
        more, next_due = outlook_of_gates(queues, next_due)
        -- Who stopped early goes on at once.
        return given, more, stopped_early and 0 or next_due
    end

    local plain_flush_jobs = flush_jobs

    flush_jobs = function()
        plain_flush_jobs()
        gates.flush()
    end
end
