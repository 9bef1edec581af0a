-- The kind of key that a queue is shared by, and what a key gets of one.
ALTER TABLE windlass.rule ADD COLUMN shared_by text COLLATE "C", ADD COLUMN weight bigint;

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
