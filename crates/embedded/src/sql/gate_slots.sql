-- Slots that jobs have kept that have not finished.
SELECT slot.id, slot.gate
FROM slot
JOIN job ON job.id = slot.id
JOIN state ON state.seq = job.seq
WHERE state.status < 4
