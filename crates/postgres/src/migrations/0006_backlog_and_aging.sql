-- How many jobs may wait in a queue, whether one of them makes room for a new one, and in how many microseconds a job that waits
-- there rises by one level of priority.
ALTER TABLE windlass.rule ADD COLUMN waiting bigint, ADD COLUMN drops boolean NOT NULL DEFAULT false, ADD COLUMN aging bigint;
