-- expiring_note: notes when to look at jobs that expire. ARGV, of each: id, so long after now, moment or ''.
while ARGV[cursor + 1] do
    local id, within, moment = take(), now + take(), tonumber(take())
    -- A repetition puts nothing off.
    redis.call('ZADD', EXPIRING, 'LT', text(math.min(within, moment or within)), id)
end
