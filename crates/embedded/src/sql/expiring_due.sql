-- Jobs to look at now, those first that should have been looked at first.
SELECT look_at, id FROM expiring WHERE look_at <= ?1 ORDER BY look_at, id LIMIT ?2
