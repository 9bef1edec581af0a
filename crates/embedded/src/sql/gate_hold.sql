-- A ready job waits at a gate. The row may be there from a job that was canceled.
INSERT OR IGNORE INTO held (queue, gate, behind, priority, seq) VALUES (?1, ?2, ?3, ?4, ?5)
