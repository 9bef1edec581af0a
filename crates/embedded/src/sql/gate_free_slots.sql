-- A job has finished.
DELETE FROM slot WHERE id = ?1
