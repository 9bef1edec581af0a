-- The highest number given to a job.
SELECT coalesce(max(seq), 0) FROM job
