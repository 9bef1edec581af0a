-- Submits one job from SQL: a trigger, another language, a prompt. It is part of the caller's transaction, so that the job
-- exists if and only if that commits. What the arguments mean stays; new ones will come last and have defaults. Answers
-- the job's id. An id that the same job has is answered again, one that another has is an error, and so is a job that its owner may
-- not submit now, or that finds its queue full or as many of its owner's waiting as may, where rules say so.
--
-- It runs with its owner's rights, so that whoever may call it needs none on the tables.
CREATE OR REPLACE FUNCTION windlass.enqueue(
    name text, payload jsonb DEFAULT 'null', queue text DEFAULT 'default', priority integer DEFAULT 5,
    run_at timestamptz DEFAULT NULL, owner text DEFAULT NULL, id uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed text := '^[A-Za-z0-9._:-]{1,128}$';
    body bytea := convert_to(enqueue.payload::text, 'UTF8');
    noise bytea := uuid_send(gen_random_uuid());
    its_id uuid := enqueue.id;
    said smallint;
    its_wait bigint;
BEGIN
    IF (enqueue.name ~ allowed) IS NOT TRUE OR (enqueue.queue ~ allowed) IS NOT TRUE OR (enqueue.owner ~ allowed) IS FALSE THEN
        RAISE EXCEPTION 'a name, a queue and an owner have 1 to 128 letters, digits and . _ : -'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF (enqueue.priority BETWEEN 0 AND 9) IS NOT TRUE THEN
        RAISE EXCEPTION 'a priority is 0 (first) to 9 (last), not %', enqueue.priority
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF (octet_length(body) <= 1048576) IS NOT TRUE THEN
        RAISE EXCEPTION 'a payload is JSON of 1 MiB or less' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF enqueue.run_at > now() + interval '10 years' THEN
        RAISE EXCEPTION 'a job can wait ten years or less, not until %', enqueue.run_at
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF its_id IS NULL THEN
        -- UUID version 7 (RFC 9562): ids that grow with time keep the index dense. The variant is the random one's.
        noise := overlay(noise PLACING
            substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6);
        its_id := encode(set_byte(noise, 6, get_byte(noise, 6) & 15 | 112), 'hex')::uuid;
    END IF;
    SELECT submitted.outcome, submitted.wait INTO said, its_wait
    FROM windlass.submit_few(
        NULL, NULL, ARRAY[its_id], ARRAY[enqueue.name], ARRAY[enqueue.queue], ARRAY[enqueue.priority::smallint],
        ARRAY[enqueue.owner], ARRAY[NULL::bigint],
        ARRAY[CASE WHEN enqueue.run_at > now() THEN (extract(epoch FROM enqueue.run_at) * 1000000)::bigint END],
        ARRAY[{MAX_CRASHES}::bigint], ARRAY[decode('{SPEC}', 'hex')], ARRAY[body],
        (SELECT 'windlass_' || space.nspname FROM pg_class AS c JOIN pg_namespace AS space ON space.oid = c.relnamespace
        WHERE c.oid = 'windlass.job'::regclass)
    ) AS submitted;
    IF said = -4 THEN
        RAISE EXCEPTION 'owner % has submitted as many jobs as it may, and may again in % ms', enqueue.owner, its_wait / 1000
            USING ERRCODE = 'configuration_limit_exceeded';
    END IF;
    IF said = -5 THEN
        RAISE EXCEPTION 'owner % has as many jobs waiting as it may', enqueue.owner USING ERRCODE = 'configuration_limit_exceeded';
    END IF;
    IF said = -1 THEN
        RAISE EXCEPTION 'queue % is full', enqueue.queue USING ERRCODE = 'configuration_limit_exceeded';
    END IF;
    IF said = 0 AND NOT EXISTS (
        SELECT 1 FROM windlass.job
        WHERE job.id = its_id AND job.name = enqueue.name AND job.queue = enqueue.queue
            AND job.priority = enqueue.priority AND job.owner IS NOT DISTINCT FROM enqueue.owner AND job.payload = body
    ) THEN
        RAISE EXCEPTION 'another job has the id %', its_id USING ERRCODE = 'unique_violation';
    END IF;
    RETURN its_id;
END
$$;
REVOKE EXECUTE ON FUNCTION windlass.enqueue FROM PUBLIC;
