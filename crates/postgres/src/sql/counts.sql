-- How many jobs of each line have each status.
CREATE OR REPLACE FUNCTION windlass.counts() RETURNS TABLE (line text, status smallint, jobs bigint)
LANGUAGE sql STABLE AS $$
    SELECT queued.queue, 1::smallint, sum(queued.jobs)::bigint
    FROM (
        SELECT ready.queue, count(*) AS jobs FROM windlass.ready GROUP BY ready.queue
        UNION ALL
        SELECT held.queue, count(*) FROM windlass.held GROUP BY held.queue
    ) AS queued
    GROUP BY queued.queue
    UNION ALL
    SELECT scheduled.queue, 2::smallint, count(*) FROM windlass.scheduled GROUP BY scheduled.queue
    UNION ALL
    SELECT run.queue, 3::smallint, count(*) FROM windlass.run GROUP BY run.queue
    UNION ALL
    SELECT job.queue, done.status, count(*)
    FROM windlass.done JOIN windlass.job ON job.seq = done.seq GROUP BY job.queue, done.status
$$;
