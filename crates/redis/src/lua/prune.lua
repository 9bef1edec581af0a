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

local ids = failed and redis.call('ZRANGE', DEAD, '-inf', text(over), 'BYSCORE', 'LIMIT', 0, most) or ended_before()
fetch(ids)
for _, id in ipairs(ids) do
    if find(id) then
        count(known[id].queue, known[id].status, -1)
    end
end
for _, key in ipairs({ JOB, STATE, RESULT, ERROR, PROGRESS, ATTEMPTS }) do
    write('HDEL', key, ids)
end
write('ZREM', ALL, ids)
if failed then
    write('ZREM', DEAD, ids)
elseif #ids > 0 then
    redis.call('LPOP', DONE, #ids)
end
flush_jobs()
return #ids
