-- The kind of key that a queue is shared by, and what a key gets of one.
ALTER TABLE windlass.rule ADD COLUMN shared_by text COLLATE "C", ADD COLUMN weight bigint;
CREATE INDEX rule_shared ON windlass.rule (gate) WHERE shared_by IS NOT NULL;

-- Whose turn it is: the lines of shared queues in which somebody waits, by the stamps of their next starts. Lines are gates,
-- turn:kind:value, at which jobs are held; '' is that of all other ready jobs of the queue.
CREATE TABLE windlass.turn (
    queue text COLLATE "C" NOT NULL,
    line text COLLATE "C" NOT NULL,
    stamp bigint NOT NULL,
    PRIMARY KEY (queue, line)
);
CREATE INDEX turn_stamp ON windlass.turn (queue, stamp, line);

-- Lines into which jobs have come: whoever claims next lets them take part. Submissions only add to it, so that they wait for
-- nobody.
CREATE TABLE windlass.arrival (
    queue text COLLATE "C" NOT NULL,
    line text COLLATE "C" NOT NULL
);
CREATE INDEX arrival_queue ON windlass.arrival (queue);

-- How many jobs run at the gates of queues and of everything where a number is set: one row for each, which costs less than a slot
-- for each job. But where jobs keep their slots between attempts, they have slots.
CREATE TABLE windlass.tally (
    gate text COLLATE "C" PRIMARY KEY,
    taken bigint NOT NULL
);
INSERT INTO windlass.tally (gate, taken)
SELECT rule.gate, (SELECT count(*) FROM windlass.run WHERE rule.gate IN ('*', 'queue:' || run.queue))
FROM windlass.rule
WHERE (rule.gate = '*' OR rule.gate LIKE 'queue:%') AND rule.running IS NOT NULL AND NOT rule.in_order;
DELETE FROM windlass.slot USING windlass.tally WHERE slot.gate = tally.gate;
