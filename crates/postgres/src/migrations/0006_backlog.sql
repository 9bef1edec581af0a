-- How many jobs may wait in a queue, and whether one of them makes room for a new one.
ALTER TABLE windlass.rule ADD COLUMN waiting bigint, ADD COLUMN drops boolean NOT NULL DEFAULT false;
