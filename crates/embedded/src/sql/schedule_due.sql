-- The schedules that are due first, whether they are yet or not.
SELECT name, revision, due_at, record FROM schedule WHERE due_at IS NOT NULL ORDER BY due_at, name LIMIT ?1
