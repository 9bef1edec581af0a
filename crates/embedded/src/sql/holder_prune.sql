-- A job is removed; without a period it holds nothing any more.
DELETE FROM holder WHERE seq = ?1 AND until IS NULL
