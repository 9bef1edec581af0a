-- Names a line for the first time.
INSERT INTO queue (id, name) VALUES (?1, ?2)
