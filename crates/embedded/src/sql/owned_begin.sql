-- Counts the jobs that wait by their owners, for as long as it is said of some owner how many may. In memory, and by triggers, so that
-- whatever changes where a job stands changes this with it, and takes it back with it.
CREATE TEMP TABLE owned (
    owner TEXT NOT NULL,
    priority INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (owner, priority DESC, seq)
) STRICT, WITHOUT ROWID;

CREATE TEMP TABLE owned_number (
    owner TEXT NOT NULL PRIMARY KEY,
    waiting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO owned (owner, priority, seq)
SELECT job.owner, state.priority, state.seq
FROM state
CROSS JOIN job ON job.seq = state.seq
WHERE state.status IN (1, 2) AND job.owner IS NOT NULL;

INSERT INTO owned_number (owner, waiting) SELECT owner, count(*) FROM owned GROUP BY owner;

CREATE TEMP TRIGGER owned_in AFTER INSERT ON owned BEGIN
    INSERT INTO owned_number (owner, waiting) VALUES (NEW.owner, 1)
    ON CONFLICT (owner) DO UPDATE SET waiting = waiting + 1;
END;

CREATE TEMP TRIGGER owned_out AFTER DELETE ON owned BEGIN
    UPDATE owned_number SET waiting = waiting - 1 WHERE owner = OLD.owner;
    DELETE FROM owned_number WHERE owner = OLD.owner AND waiting = 0;
END;

CREATE TEMP TRIGGER owned_kept AFTER INSERT ON main.state WHEN NEW.status <= 2 BEGIN
    INSERT INTO owned (owner, priority, seq)
    SELECT job.owner, NEW.priority, NEW.seq FROM job WHERE job.seq = NEW.seq AND job.owner IS NOT NULL;
END;

CREATE TEMP TRIGGER owned_back AFTER UPDATE OF status ON main.state WHEN OLD.status > 2 AND NEW.status <= 2 BEGIN
    INSERT INTO owned (owner, priority, seq)
    SELECT job.owner, NEW.priority, NEW.seq FROM job WHERE job.seq = NEW.seq AND job.owner IS NOT NULL;
END;

CREATE TEMP TRIGGER owned_gone AFTER UPDATE OF status ON main.state WHEN OLD.status <= 2 AND NEW.status > 2 BEGIN
    DELETE FROM owned
    WHERE owner = (SELECT job.owner FROM job WHERE job.seq = OLD.seq) AND priority = OLD.priority AND seq = OLD.seq;
END;
