-- Whose a job is that waits, filled only while it is said of some owner how many may: so that they are counted, and the oldest of the
-- least urgent is found, without a look at those that wait no more. Where nothing is filled the indexes are empty.
ALTER TABLE windlass.ready ADD COLUMN owner text COLLATE "C";
ALTER TABLE windlass.scheduled ADD COLUMN owner text COLLATE "C";
ALTER TABLE windlass.held ADD COLUMN owner text COLLATE "C";
CREATE INDEX ready_owner ON windlass.ready (owner, priority DESC, seq) WHERE owner IS NOT NULL;
CREATE INDEX scheduled_owner ON windlass.scheduled (owner, priority DESC, seq) WHERE owner IS NOT NULL;
CREATE INDEX held_owner ON windlass.held (owner, priority DESC, seq) WHERE owner IS NOT NULL;
