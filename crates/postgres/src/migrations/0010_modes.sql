-- Of the rule at '', which is there while there are any: whether turns go one after the other. Those that went by rules did, so far.
ALTER TABLE windlass.rule ADD COLUMN one_by_one boolean NOT NULL DEFAULT true;
INSERT INTO windlass.rule (gate, paused, in_order, tolerance, patience, record)
SELECT '', false, false, 0, 0, '' FROM windlass.rule
ON CONFLICT DO NOTHING;
