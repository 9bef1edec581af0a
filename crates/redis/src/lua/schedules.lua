-- schedules: looks for schedules. ARGV: which, and what that takes: 'find' and a name; 'list', a name to begin after and how
-- many; 'due' and how many. Returns the time, of each its name and what is kept, and when the next is due, or -1.
local which, names, next_due = take(), {}, -1
if which == 'find' then
    names[1] = take()
elseif which == 'list' then
    local after, most = take(), tonumber(take())
    for _, name in ipairs(redis.call('HKEYS', SCHEDULES)) do
        if name > after then
            names[#names + 1] = name
        end
    end
    table.sort(names)
    names = { unpack(names, 1, math.min(most, #names)) }
else
    local most = tonumber(take())
    local first = redis.call('ZRANGE', SCHEDULES_DUE, 0, most, 'WITHSCORES')
    for place = 1, #first, 2 do
        local due = tonumber(first[place + 1])
        if due > now or #names == most then
            next_due = text(due)
            break
        end
        names[#names + 1] = first[place]
    end
end
local found = {}
for place, kept_schedule in ipairs(look_up('HMGET', SCHEDULES, names)) do
    if kept_schedule then
        named(found, names[place])
        named(found, kept_schedule)
    end
end
return { text(now), found, next_due }
