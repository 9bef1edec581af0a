-- Keeps what a handler returned.
INSERT INTO result (seq, content_type, body, sum) VALUES (?1, ?2, ?3, ?4)
