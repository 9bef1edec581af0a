-- A job keeps a slot until its next attempt.
INSERT OR IGNORE INTO slot (id, gate) VALUES (?1, ?2)
