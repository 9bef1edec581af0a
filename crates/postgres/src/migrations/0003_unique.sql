-- Who has or had the keys of unique jobs: in the statuses of a bit set (2 to the power of each), and until a moment where there
-- is one.
CREATE TABLE windlass.holder (
    key uuid PRIMARY KEY,
    id uuid NOT NULL,
    states smallint NOT NULL,
    until bigint
);
CREATE INDEX holder_id ON windlass.holder (id);
CREATE INDEX holder_until ON windlass.holder (until) WHERE until IS NOT NULL;
