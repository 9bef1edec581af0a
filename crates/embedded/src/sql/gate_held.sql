-- The first jobs that wait at a gate.
SELECT behind, priority, seq FROM held WHERE queue = ?1 AND gate = ?2 ORDER BY behind, priority, seq LIMIT ?3
