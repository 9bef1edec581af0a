-- A job does not wait at a gate any more.
DELETE FROM held WHERE queue = ?1 AND gate = ?2 AND behind = ?3 AND priority = ?4 AND seq = ?5
