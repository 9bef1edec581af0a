-- opening: what a store asks a server before it trusts it. ARGV: the layout of this version.
-- Returns the layout of what is kept there, and what the server says of itself.
local kept = redis.call('HGET', COUNTS, 'layout')
if not kept then
    kept = take()
    redis.call('HSET', COUNTS, 'layout', kept)
end
return { kept, redis.call('INFO', 'server'), redis.call('INFO', 'memory'), redis.call('INFO', 'persistence') }
