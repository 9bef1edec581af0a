-- When to look whether a job that expires still waits. A note may be of a job that has finished or gone.
CREATE TABLE windlass.expiring (
    look_at bigint NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (look_at, id)
);
