-- get: everything about a job. ARGV: id, owner or ''. Returns it, or nothing where the owner sees no such job.
local id, owner = take(), take()
local packed = redis.call('HGET', STATE, id)
if not packed or (owner ~= '' and owner_of(decode(id, packed)) ~= owner) then
    return false
end
return whole(id, packed)
