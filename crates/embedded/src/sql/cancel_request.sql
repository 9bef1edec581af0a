-- Notes that a running handler shall stop.
UPDATE state SET cancel_requested = 1, updated_at = ?2 WHERE seq = ?1 AND status = 3
