-- A page of jobs in order of acceptance.
SELECT * FROM jobs
WHERE seq > ?1
    AND (?2 IS NULL OR queue = ?2)
    AND (?3 IS NULL OR name = ?3)
    AND (?4 IS NULL OR status = ?4)
    AND (?5 IS NULL OR owner = ?5)
ORDER BY seq
LIMIT ?6
