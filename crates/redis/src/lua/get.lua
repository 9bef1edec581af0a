-- get: everything about a job. ARGV: id, owner or ''. Returns it, or nothing where the owner sees no such job.
local id, owner = take(), take()
return visible(id, owner) and whole(id, kept[id])
