-- What holds at a gate from now on.
INSERT INTO gate (name, rule) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET rule = excluded.rule
