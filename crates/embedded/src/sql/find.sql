-- A job by its id, within an owner's scope when ?2 names one.
SELECT * FROM jobs WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)
