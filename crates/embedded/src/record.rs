//! Rows: how jobs become columns and come back, and how damage to them is noticed.

use rusqlite::Row;
use windlass_core::{Incarnation, JobId, JobName, NewJob, Owner, Payload, Priority, QueueName, Status, Timestamp};
use windlass_store::Token;
use windlass_store::codec::{Spec, payload_of};

use crate::fault::{Checked, Fault};

/// The `sum` column of a job: CRC-32 over everything else that was submitted.
pub(crate) fn job_sum(new: &NewJob, created_at: Timestamp, spec: &[u8]) -> u32 {
    let owner = new.owner.as_ref().map_or("", Owner::as_str);
    let parts = Parts { id: new.id.as_bytes(), name: new.name.as_str(), owner, created_at, spec };
    parts.sum(&new.payload.bytes)
}

struct Parts<'a> {
    id: &'a [u8; 16],
    name: &'a str,
    owner: &'a str,
    created_at: Timestamp,
    spec: &'a [u8],
}

impl Parts<'_> {
    /// The lengths go in first, so that no two different rows give the same bytes.
    fn sum(&self, payload: &[u8]) -> u32 {
        let mut head = [0; 40];
        head[..16].copy_from_slice(self.id);
        head[16..24].copy_from_slice(&self.created_at.as_micros().to_be_bytes());
        for (place, part) in [self.name.as_bytes(), self.owner.as_bytes(), self.spec, payload].iter().enumerate() {
            head[24 + place * 4..][..4].copy_from_slice(&(part.len() as u32).to_be_bytes());
        }
        let mut hash = crc32fast::Hasher::new();
        for part in [&head, self.name.as_bytes(), self.owner.as_bytes(), self.spec, payload] {
            hash.update(part);
        }
        hash.finalize()
    }
}

/// What was submitted, from the first eight columns of a row: id, name, owner, created_at, sum, spec, payload,
/// priority. Errors with `Corrupt` when a bit of it has changed since.
pub(crate) fn new_job(row: &Row<'_>, queue: QueueName) -> Checked<(NewJob, Timestamp)> {
    let id = JobId::from_bytes(row.get(0)?);
    let name = text(row, 1)?;
    let owner = row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    let created_at = timestamp(row, 3)?;
    let (spec, payload) = (blob(row, 5)?, blob(row, 6)?);
    let parts = Parts { id: id.as_bytes(), name, owner: owner.unwrap_or(""), created_at, spec };
    if parts.sum(payload) != row.get::<_, u32>(4)? {
        return Err(Fault::corrupt(format!("job {id} does not match its checksum")));
    }
    let spec = Spec::decode(spec)?;
    let new = NewJob {
        id,
        name: JobName::new(name).map_err(|error| Fault::unreadable("job name", error))?,
        queue,
        priority: Priority::new(row.get(7)?).map_err(|error| Fault::unreadable("priority", error))?,
        start: spec.start,
        payload: payload_of(spec.content_type, payload),
        retry: spec.retry,
        timeout: spec.timeout,
        owner: owner.map(Owner::new).transpose().map_err(|error| Fault::unreadable("owner", error))?,
        context: spec.context,
        traceparent: spec.traceparent,
        cause: spec.cause,
        conditions: spec.conditions,
    };
    Ok((new, created_at))
}

/// The `sum` column of a result.
pub(crate) fn payload_sum(payload: &Payload) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&(payload.content_type.len() as u64).to_be_bytes());
    hash.update(payload.content_type.as_bytes());
    hash.update(&payload.bytes);
    hash.finalize()
}

pub(crate) fn text<'r>(row: &'r Row<'_>, column: usize) -> Checked<&'r str> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

pub(crate) fn blob<'r>(row: &'r Row<'_>, column: usize) -> Checked<&'r [u8]> {
    Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
}

pub(crate) fn timestamp(row: &Row<'_>, column: usize) -> Checked<Timestamp> {
    Ok(Timestamp::from_micros(row.get(column)?))
}

pub(crate) fn status(row: &Row<'_>, column: usize) -> Checked<Status> {
    Status::from_code(row.get(column)?).ok_or_else(|| Fault::corrupt("a job on record has an unknown status"))
}

/// How often something happened to a job. No policy allows a million; damage can say anything.
pub(crate) fn counter(row: &Row<'_>, column: usize) -> Checked<u32> {
    match row.get(column)? {
        count @ 0..1_000_000 => Ok(count),
        _ => Err(Fault::corrupt("a job on record counts more attempts than it can have")),
    }
}

pub(crate) fn token(row: &Row<'_>, column: usize) -> Checked<Token> {
    let token = row.get::<_, i64>(column)?;
    u64::try_from(token).map(Token).map_err(|_| Fault::corrupt("a job on record has an impossible token"))
}

pub(crate) fn worker(row: &Row<'_>, column: usize) -> Checked<Incarnation> {
    Ok(Incarnation::from_bytes(row.get(column)?))
}
