-- What stands in `all`: blocks of ids, by the number of the first. An id stays in its block when its job is removed; the block
-- goes with the last.

-- The first number and the ids of the block that holds a number, if any does.
local function block_of(number)
    local ids, first = unpack(redis.call('ZRANGE', ALL, text(number), '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES'))
    return tonumber(first), ids
end

-- How many jobs a block had.
local function size_of(ids)
    return #ids / 16
end
