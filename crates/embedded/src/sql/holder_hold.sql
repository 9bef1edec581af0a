-- A job holds a key from now on.
INSERT INTO holder (key, seq, id, states, until)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, id = excluded.id, states = excluded.states, until = excluded.until
