-- Since when the one of the first ready jobs of a line that has been so longest is, of one kind and priority.
SELECT min(updated_at) FROM (
    SELECT updated_at FROM state
    WHERE queue = (SELECT id FROM queue WHERE name = ?1) AND suspect = ?2 AND priority = ?3 AND status = 1
    ORDER BY seq
    LIMIT ?4
)
