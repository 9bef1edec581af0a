-- opening: what a store asks a server before it trusts it. ARGV: the layout of what it would keep, and in how many shards.
-- Returns the layout of what is kept there and in how many shards, and what the server says of itself.
local layout, shards = take(), take()
local kept, among = unpack(redis.call('HMGET', COUNTS, 'layout', 'shards'))
if not kept then
    kept, among = layout, shards
    redis.call('HSET', COUNTS, 'layout', layout, 'shards', shards)
end
return { kept, among or '1', redis.call('INFO', 'server'), redis.call('INFO', 'memory'), redis.call('INFO', 'persistence') }
