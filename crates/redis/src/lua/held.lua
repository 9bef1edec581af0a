-- held: what a worker was given and still runs. ARGV: worker. Returns id and token of each.
local worker, held = take(), {}
local ids = redis.call('ZRANGE', LEASES, 0, -1)
for place, packed in ipairs(look_up('HMGET', STATE, ids)) do
    local _, _, _, token, _, its_worker = unpack_struct('<Bddddc16', packed)
    if its_worker == worker then
        named(held, ids[place])
        named(held, text(token))
    end
end
return held
