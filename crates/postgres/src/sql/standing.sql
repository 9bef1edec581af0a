-- Where a job stands whose latest lease, no longer running, has this token; NULL when it has another one. Who calls it has
-- turned nested loops off; without any kind of join left, the planner reads all jobs.
CREATE OR REPLACE FUNCTION windlass.standing(asked uuid, held bigint) RETURNS smallint
LANGUAGE sql STABLE
SET enable_nestloop = on SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
    SELECT jobs.status FROM windlass.jobs WHERE jobs.id = asked AND jobs.token = held AND jobs.status <> 3
$$;
