-- Where a job stands whose lease is unknown: the same token means that the question was asked before.
SELECT state.token, state.status
FROM job
JOIN state ON state.seq = job.seq
WHERE job.id = ?1
