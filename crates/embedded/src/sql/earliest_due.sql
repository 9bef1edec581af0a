-- When the next scheduled job of a line is due.
SELECT due_at FROM state WHERE queue = ?1 AND status = 2 ORDER BY due_at LIMIT 1
