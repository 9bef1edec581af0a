-- gate_edit: writes the rule at a gate, if it is the expected one; or holds a bucket. ARGV: gate, the expected rule or '', the
-- rule or '', whether jobs are to be counted anew, for how long the bucket is held or '', the kind by which it is shared or the
-- weight or '', how many may wait and whether one of them makes room, or '', in how long jobs rise by a level or ''.
-- Returns whether it was written.
local gate, expected, rule, anew, hold = take(), take(), take(), take() == '1', tonumber(take())
local share, backlog, aging = take(), take(), take()
if hold then
    local its = gates.ruled() and gates.terms(gate)
    if its and its.interval then
        gates.set_bucket(gate, math.max(gates.bucket_at(gate), now + hold + its.tolerance))
        gates.flush()
    end
    return 1
end
local counted = owned.counted()
if (redis.call('HGET', RULES, gate) or '') ~= expected then
    return 0
end
if rule == '' then
    redis.call('HDEL', RULES, gate)
else
    redis.call('HSET', RULES, gate, rule)
end
for mark, said in pairs({ ['\1'] = share, ['\2'] = backlog, ['\3'] = aging }) do
    if said == '' then
        redis.call('HDEL', RULES, mark .. gate)
    else
        redis.call('HSET', RULES, mark .. gate, said)
    end
end

local function mark_kinds()
    local kinds, some, each = {}, false, false
    for _, name in ipairs(redis.call('HKEYS', RULES)) do
        some = some or name ~= ''
        each = each or string.match(name, '^key') or string.match(name, '^handler:')
        local of_shares = string.match(name, '^\1queue:') and 's' or string.match(name, '^\1') and 'w'
        local of_submissions = string.match(name, '^\2owner') and 'c' or string.match(name, '^\2') and 'b' or string.match(name, '^owner') and 'o'
        local of_age = string.match(name, '^\3') and 'a'
        kinds[of_shares or of_submissions or of_age or string.match(name, '^key:') and 'k' or string.match(name, '^handler:') and 'h' or ''] = true
    end
    -- 'l' where no rule is for jobs by themselves.
    local said = each and '-' or '-l'
    for kind in pairs(kinds) do
        said = said .. kind
    end
    -- Nothing where only traces are left.
    said = some and said or ''
    redis.call('HSET', RULES, '', said)
    gates.forget_rules(said)
    return some
end

-- Those gates among some that the rule is for.
local function covered(its)
    local found = {}
    for _, at in ipairs(its) do
        if gates.covers(gate, at) then
            named(found, at)
        end
    end
    return found
end

-- Slots that waiting jobs keep stay where jobs do; the others are free.
local function count_kept_slots()
    for _, id in ipairs(redis.call('HKEYS', SLOTS)) do
        local kept_gates = {}
        for at in pairs(gates.slots_of(id)) do
            local its = gates.terms(at)
            local stays = its and its.running and its.in_order
            kept_gates[at] = (stays or not gates.covers(gate, at)) or nil
            gates.count_slots(stays and covered({ at }) or {})
        end
        gates.keep_slots(id, kept_gates)
    end
end

-- Slots are there where a number is set, for all jobs that run, and for those that keep theirs where jobs do; buckets where a
-- rate is.
local function count_anew()
    for _, at in ipairs(covered(redis.call('HKEYS', TAKEN))) do
        gates.set_taken(at, 0)
    end
    for _, at in ipairs(covered(redis.call('ZRANGE', BUCKETS, 0, -1))) do
        local its = gates.terms(at)
        if not (its and its.interval) then
            redis.call('ZREM', BUCKETS, at)
        end
    end
    count_kept_slots()
    local running = redis.call('ZRANGE', LEASES, 0, -1)
    for _, first in ipairs(look_up('HMGET', JOB, running)) do
        if first then
            gates.count_slots(covered(gates.of(first)))
        end
    end
end

local some = mark_kinds()
if owned.is_wanted() ~= counted then
    owned.count_anew()
end
if anew then
    count_anew()
end
for _, line in ipairs(redis.call('ZRANGE', LINES, 0, -1)) do
    local at = string.match(line, '^(%Z*)')
    if gates.covers(gate, at) then
        gates.open(at)
    end
end
gates.flush()
if not some and redis.call('EXISTS', HELD, SLOTS) == 0 then
    redis.call('DEL', RULES, LINES, OPENS, BUCKETS, TAKEN, TURNS, STAMPS)
end
redis.call('PUBLISH', CHANNEL, 'ready')
return 1
