-- prune: removes jobs that finished so long ago, the oldest first. ARGV: 1 for failed jobs, 0 for others; how long they
-- are kept; jobs at most. Returns how many there were.
local failed, over, most = take() == '1', now - take(), tonumber(take())

-- Those that ended first stand first, and one of them that is still kept keeps all behind it.
local function ended_before()
    -- To a list, one before the first is the last.
    local ids, old = most > 0 and redis.call('LRANGE', DONE, 0, most - 1) or {}, {}
    fetch(ids)
    for place, id in ipairs(ids) do
        if find(id) and known[id].updated > over then
            break
        end
        old[place] = id
    end
    return old
end

-- Takes jobs out of blocks of several: of each its number.
local function leave_blocks(numbers)
    table.sort(numbers)
    local place = 1
    while numbers[place] do
        local first, ids = block_of(numbers[place])
        local before, over = place, first + size_of(ids) * APART
        repeat
            place = place + 1
        until not numbers[place] or numbers[place] >= over
        if redis.call('HINCRBY', GONE, text(first), place - before) == size_of(ids) then
            redis.call('ZREM', ALL, ids)
            redis.call('HDEL', GONE, text(first))
        end
    end
end

-- Takes jobs out of `all`.
local function leave_all(ids)
    local alone, others = {}, {}
    for place, number in ipairs(look_up('ZMSCORE', ALL, ids)) do
        if number then
            named(alone, ids[place])
        elseif find(ids[place]) then
            named(others, known[ids[place]].seq)
        end
    end
    write('ZREM', ALL, alone)
    leave_blocks(others)
end

-- Without a period a job that is removed holds its key no more; others do until that is over.
local function let_go(ids)
    if redis.call('EXISTS', UNIQUE) == 0 then
        return
    end
    local keys = {}
    for place, key in ipairs(look_up('HMGET', UNIQUE_OF, ids)) do
        local held = key and redis.call('HGET', UNIQUE, key)
        if held and sub(held, 1, 16) == ids[place] and unpack_struct('<B', held, 18) == 0 then
            named(keys, key)
        end
    end
    write('HDEL', UNIQUE_OF, ids)
    for _, key in ipairs(redis.call('ZRANGE', UNIQUE_UNTIL, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, most)) do
        named(keys, key)
    end
    write('HDEL', UNIQUE, keys)
    write('ZREM', UNIQUE_UNTIL, keys)
end

local ids = failed and redis.call('ZRANGE', DEAD, '-inf', text(over), 'BYSCORE', 'LIMIT', 0, most) or ended_before()
fetch(ids)
for _, id in ipairs(ids) do
    if find(id) then
        count(known[id].queue, known[id].status, -1)
    end
end
for _, key in ipairs({ JOB, LONG, STATE, RESULT, ERROR, PROGRESS, ATTEMPTS }) do
    write('HDEL', key, ids)
end
leave_all(ids)
let_go(ids)
if failed then
    write('ZREM', DEAD, ids)
elseif #ids > 0 then
    redis.call('LPOP', DONE, #ids)
end
flush_jobs()
return #ids
