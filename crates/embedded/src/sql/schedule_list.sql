-- A page of schedules by name.
SELECT name, revision, due_at, record FROM schedule WHERE name > ?1 ORDER BY name LIMIT ?2
