//! The bytes that stores keep where they have no column: what of a job no query looks at, errors and progress. One
//! encoding for every backend, so that a job can move from one to another as it is.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use windlass_core::payload::JSON;
use windlass_core::{Cause, Conditions, NewJob, Payload, RequestContext, RetryPolicy, Start};

use crate::error::{Error, ErrorKind, Result};

/// First byte of every record. A new layout takes a new number and keeps reading the old.
const VERSION: u8 = 1;

#[derive(Serialize)]
struct SpecRef<'a> {
    start: Start,
    content_type: &'a str,
    retry: RetryPolicy,
    timeout: Option<Duration>,
    context: &'a RequestContext,
    traceparent: Option<&'a str>,
    // Last, and not there at all where there is none, as in records from before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a Cause>,
}

/// The same fields, all of them, and one behind.
type WithConditions<'a> = (
    Start,
    &'a str,
    RetryPolicy,
    Option<Duration>,
    &'a RequestContext,
    Option<&'a str>,
    Option<&'a Cause>,
    &'a Conditions,
);

impl<'a> SpecRef<'a> {
    fn with(self, conditions: &'a Conditions) -> WithConditions<'a> {
        let Self { start, content_type, retry, timeout, context, traceparent, cause } = self;
        (start, content_type, retry, timeout, context, traceparent, cause, conditions)
    }
}

/// What of a [`NewJob`] has no column: the fields that no query looks at.
#[derive(Debug, Deserialize)]
pub struct Spec {
    /// When it may start.
    pub start: Start,
    /// The media type of its payload.
    pub content_type: String,
    /// What happens when an attempt fails.
    pub retry: RetryPolicy,
    /// How long one attempt may run.
    pub timeout: Option<Duration>,
    /// What is kept of the request behind it.
    pub context: RequestContext,
    /// The caller's W3C `traceparent`.
    pub traceparent: Option<String>,
    /// What it follows from.
    #[serde(default)]
    pub cause: Option<Box<Cause>>,
    /// On which conditions it is taken.
    #[serde(default)]
    pub conditions: Option<Box<Conditions>>,
}

impl Spec {
    /// The record of a job.
    ///
    /// # Errors
    ///
    /// `Corrupt`, which no job that [`JobBuilder::finish`](windlass_core::JobBuilder::finish) made can cause.
    pub fn encode(new: &NewJob) -> Result<Vec<u8>> {
        let spec = SpecRef {
            start: new.start,
            content_type: &new.payload.content_type,
            retry: new.retry,
            timeout: new.timeout,
            context: &new.context,
            traceparent: new.traceparent.as_deref(),
            cause: new.cause.as_deref(),
        };
        let mut bytes = Vec::with_capacity(64);
        bytes.push(VERSION);
        let written = match &new.conditions {
            None => rmp_serde::encode::write(&mut bytes, &spec),
            Some(conditions) => rmp_serde::encode::write(&mut bytes, &spec.with(conditions)),
        };
        written.map_err(|error| unreadable("job", error))?;
        Ok(bytes)
    }

    /// What [`encode`](Self::encode) wrote. Errors with `Corrupt` when it is anything else.
    pub fn decode(record: &[u8]) -> Result<Self> {
        match record.split_first() {
            Some((&VERSION, body)) => rmp_serde::from_slice(body).map_err(|error| unreadable("job", error)),
            _ => Err(corrupt("the job on record has an unknown layout")),
        }
    }
}

/// A payload of these bytes. Most are JSON, and their media type needs no memory of its own.
pub fn payload_of(content_type: String, bytes: &[u8]) -> Payload {
    let content_type = if content_type == JSON { Cow::Borrowed(JSON) } else { Cow::Owned(content_type) };
    Payload { content_type, bytes: Bytes::copy_from_slice(bytes) }
}

/// A small record (an error, a progress report) with its version and CRC-32 in front.
///
/// # Errors
///
/// `Corrupt`, which no record of this library can cause.
pub fn seal<T: Serialize>(record: &T) -> Result<Vec<u8>> {
    let body = rmp_serde::to_vec(record).map_err(|error| unreadable("record", error))?;
    let mut sealed = Vec::with_capacity(body.len() + 5);
    sealed.push(VERSION);
    sealed.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

/// What [`seal`] closed. Errors with `Corrupt` when a bit of it has changed since.
pub fn unseal<T: DeserializeOwned>(what: &str, sealed: &[u8]) -> Result<T> {
    let Some((&[VERSION, a, b, c, d], body)) = sealed.split_first_chunk::<5>() else {
        return Err(corrupt(format!("the {what} on record has an unknown layout")));
    };
    if u32::from_be_bytes([a, b, c, d]) != crc32fast::hash(body) {
        return Err(corrupt(format!("the {what} on record does not match its checksum")));
    }
    rmp_serde::from_slice(body).map_err(|error| unreadable(what, error))
}

fn corrupt(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

fn unreadable(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::with_source(ErrorKind::Corrupt, format!("the {what} on record cannot be read"), source)
}

#[cfg(test)]
mod tests {
    use windlass_core::gate::Rule;
    use windlass_core::{Backlog, CorrelationId, JobError, Limits, Share, Timestamp, Unique};

    use super::*;

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
            .cause(Some(Cause::beginning(CorrelationId::keyed(&[b"beginning"]))))
            .finish(Timestamp::UNIX_EPOCH)
            .expect("valid");
        let opened = Spec::decode(&Spec::encode(&new).expect("encodes")).expect("decodes");
        assert_eq!((opened.timeout, opened.traceparent, opened.retry), (new.timeout, new.traceparent, new.retry));
        assert_eq!((opened.content_type.as_str(), opened.cause), ("text/plain", new.cause));
    }

    /// Jobs had no cause when the first of these records were written, and most have none today.
    #[test]
    fn a_job_without_a_cause_is_written_and_read_as_before_there_were_any() {
        let new = NewJob::build("Job", Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid");
        let record = Spec::encode(&new).expect("encodes");
        assert_eq!(record[1], 0x96, "six fields");
        assert_eq!(Spec::decode(&record).expect("decodes").cause, None);
    }

    #[test]
    fn a_unique_job_keeps_its_conditions_with_a_cause_and_without() {
        for cause in [None, Some(Cause::beginning(CorrelationId::keyed(&[b"beginning"])))] {
            let draft = NewJob::build("Job", Payload::empty()).cause(cause).unique(Unique::key("k"));
            let new = draft.finish(Timestamp::UNIX_EPOCH).expect("valid");
            let opened = Spec::decode(&Spec::encode(&new).expect("encodes")).expect("decodes");
            assert_eq!((opened.conditions, opened.cause), (new.conditions, new.cause));
        }
    }

    /// Each part of a rule is kept with and without the others.
    #[test]
    fn a_rule_keeps_its_parts() {
        let (share, backlog) = (Share::by("tenant").expect("valid"), Backlog::most(7).drop_oldest());
        for share in [Share::default(), share] {
            for backlog in [Backlog::default(), backlog] {
                for aging in [None, Some(Duration::from_secs(7))] {
                    let rule = Rule { limits: Limits::running(2), share: share.clone(), backlog, aging, paused: None };
                    let sealed = seal(&rule).expect("seals");
                    assert_eq!(unseal::<Rule>("rule", &sealed).expect("opens"), rule);
                }
            }
        }
    }

    /// What was written before jobs could take the place of running ones is read, and written no otherwise today.
    #[test]
    fn a_unique_job_is_written_and_read_as_before_any_canceled_running_ones() {
        const BEFORE: &str = "0198a34e6f77a0940392020092cd0e100003c093808080c0c09395c410b654768d396787c0beab6932c1d84fc17e923c00c3c3c0c0";
        let unique = || Unique::key("k").within(Duration::from_secs(60)).replace().extend();
        let record = |unique: Unique| {
            let new =
                NewJob::build("Job", Payload::empty()).unique(unique).finish(Timestamp::UNIX_EPOCH).expect("valid");
            (Spec::encode(&new).expect("encodes"), new.conditions)
        };
        let (written, conditions) = record(unique());
        let hex: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, BEFORE);
        assert_eq!(Spec::decode(&written).expect("decodes").conditions, conditions);
        let (written, conditions) = record(unique().cancel_running());
        assert_eq!(Spec::decode(&written).expect("decodes").conditions, conditions);
        assert!(conditions.is_some_and(|conditions| conditions.unique.is_some_and(|unique| unique.cancels_running)));
    }

    #[test]
    fn an_unknown_layout_is_refused() {
        assert!(Spec::decode(&[9, 1, 2]).is_err() && Spec::decode(&[]).is_err());
        assert!(unseal::<JobError>("error", &[]).is_err());
    }
}
