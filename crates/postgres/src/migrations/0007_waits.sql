-- Who of a queue has been held longest is the first there.
CREATE INDEX held_waits ON windlass.held (queue, updated_at);
DROP INDEX windlass.held_queue;
