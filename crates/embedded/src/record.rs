//! The bytes on disk: how jobs, errors and progress become rows, and how damage to them is noticed.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Row;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use windlass_core::payload::JSON;
use windlass_core::{
    Incarnation, JobId, JobName, NewJob, Owner, Payload, Priority, QueueName, RequestContext, RetryPolicy, Start,
    Status, Timestamp,
};
use windlass_store::Token;

use crate::fault::{Checked, Fault};

/// First byte of every sealed record. A new layout takes a new number and keeps reading the old.
const VERSION: u8 = 1;

/// What of a [`NewJob`] has no column: the fields that no query looks at.
#[derive(Serialize)]
struct SpecRef<'a> {
    start: Start,
    content_type: &'a str,
    retry: RetryPolicy,
    timeout: Option<Duration>,
    context: &'a RequestContext,
    traceparent: Option<&'a str>,
}

#[derive(Deserialize)]
struct Spec {
    start: Start,
    content_type: String,
    retry: RetryPolicy,
    timeout: Option<Duration>,
    context: RequestContext,
    traceparent: Option<String>,
}

/// The `spec` column of a job.
pub(crate) fn spec(new: &NewJob) -> Checked<Vec<u8>> {
    let spec = SpecRef {
        start: new.start,
        content_type: &new.payload.content_type,
        retry: new.retry,
        timeout: new.timeout,
        context: &new.context,
        traceparent: new.traceparent.as_deref(),
    };
    let mut bytes = Vec::with_capacity(64);
    bytes.push(VERSION);
    rmp_serde::encode::write(&mut bytes, &spec).map_err(|error| Fault::unreadable("job", error))?;
    Ok(bytes)
}

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
    let spec = open_spec(spec)?;
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
    };
    Ok((new, created_at))
}

fn open_spec(record: &[u8]) -> Checked<Spec> {
    match record.split_first() {
        Some((&VERSION, body)) => rmp_serde::from_slice(body).map_err(|error| Fault::unreadable("job", error)),
        _ => Err(Fault::corrupt("the job on record has an unknown layout")),
    }
}

/// The `sum` column of a result.
pub(crate) fn payload_sum(payload: &Payload) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&(payload.content_type.len() as u64).to_be_bytes());
    hash.update(payload.content_type.as_bytes());
    hash.update(&payload.bytes);
    hash.finalize()
}

/// A payload of these bytes. Most are JSON, and their media type needs no memory of its own.
pub(crate) fn payload_of(content_type: String, bytes: &[u8]) -> Payload {
    let content_type = if content_type == JSON { Cow::Borrowed(JSON) } else { Cow::Owned(content_type) };
    Payload { content_type, bytes: Bytes::copy_from_slice(bytes) }
}

/// A small record with its version and CRC-32 in front.
pub(crate) fn seal<T: Serialize>(record: &T) -> Checked<Vec<u8>> {
    let body = rmp_serde::to_vec(record).map_err(|error| Fault::unreadable("record", error))?;
    let mut sealed = Vec::with_capacity(body.len() + 5);
    sealed.push(VERSION);
    sealed.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

/// What [`seal`] closed. Errors with `Corrupt` when a bit of it has changed since.
pub(crate) fn unseal<T: DeserializeOwned>(what: &str, sealed: &[u8]) -> Checked<T> {
    let Some((&[VERSION, a, b, c, d], body)) = sealed.split_first_chunk::<5>() else {
        return Err(Fault::corrupt(format!("the {what} on record has an unknown layout")));
    };
    if u32::from_be_bytes([a, b, c, d]) != crc32fast::hash(body) {
        return Err(Fault::corrupt(format!("the {what} on record does not match its checksum")));
    }
    rmp_serde::from_slice(body).map_err(|error| Fault::unreadable(what, error))
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

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::JobError;

    #[test]
    fn a_sealed_record_opens_again_and_any_flipped_bit_is_noticed() {
        let error = JobError::new("X", "why");
        let sealed = seal(&error).expect("seals");
        assert_eq!(unseal::<JobError>("error", &sealed).expect("opens"), error);
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal::<JobError>("error", &damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_spec_keeps_what_has_no_column() {
        let new = NewJob::build("Job", Payload::new("text/plain", "x"))
            .timeout(Duration::from_millis(1500))
            .traceparent(Some("00-1-2-3".into()))
            .finish(Timestamp::UNIX_EPOCH)
            .expect("valid");
        let opened = open_spec(&spec(&new).expect("encodes")).expect("decodes");
        assert_eq!((opened.timeout, opened.traceparent, opened.retry), (new.timeout, new.traceparent, new.retry));
        assert_eq!(opened.content_type, "text/plain");
    }

    #[test]
    fn an_unknown_layout_is_refused() {
        assert!(open_spec(&[9, 1, 2]).is_err() && open_spec(&[]).is_err());
        assert!(unseal::<JobError>("error", &[]).is_err());
    }
}
