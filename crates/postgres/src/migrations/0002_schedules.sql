-- What is submitted when. The revision is the moment of the last write, and rises with each.
CREATE TABLE windlass.schedule (
    name text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    due_at bigint,
    record bytea NOT NULL
);
CREATE INDEX schedule_due ON windlass.schedule (due_at, name) WHERE due_at IS NOT NULL;
