-- The bytes that scripts make and cut; record.rs reads them too.
local pack_struct, unpack_struct, sub = struct.pack, struct.unpack, string.sub

-- What is kept of a job from the beginning: its status and when it was due, as they were then; its origin, which is its
-- priority, number, when it was created, the length of what follows, crashes at most, queue, name, owner and, of a job that
-- has some, its keys; and what was submitted besides, unless it is long. The length counts from ORIGIN.
local FIRST, ORIGIN = '<BdBddHIsss', 28

-- A state: status, when it changed, due or end of lease; token, started, worker; retries, crashes, cancellation requested,
-- suspect; queue. Jobs that one worker takes at one moment have the same.
local LAYOUT, ATTEMPTED, COUNTED, CANCEL_REQUESTED, QUEUE = '<Bddddc16IIBBs', 18, 50, 58, 60
local NOBODY, NO_ATTEMPTS = string.rep('\0', 16), string.rep('\0', 10)

-- What is longer is kept apart, so that nobody reads it to see where a job stands.
local LONG_FROM = 4096

-- A submission in two: what belongs to the origin, and the rest.
local function cut(submitted)
    local length = 2 + unpack_struct('<H', submitted)
    return sub(submitted, 1, length), sub(submitted, length + 1)
end

-- What a claim writes over where a job stood.
local function running(token, now, lease, worker)
    return pack_struct('<Bddddc16', CLAIMED, now, now + lease, token, now, worker)
end

-- The state that a claim gives jobs that nothing has happened to. No attempt under their ids had this token: tokens are moments,
-- and one more for each attempt; so unless the server's clock goes back by more than ended jobs are kept.
local function running_first(queue, now, lease, worker)
    return running(math.max(now, 0), now, lease, worker) .. NO_ATTEMPTS .. queue .. '\0'
end
