//! Why an attempt failed, as it is stored and shown: a code, a message and the chain of causes. Never a stack trace.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{ERROR_BYTES_MAX, ERROR_CHAIN_MAX, clip};
use crate::time::Timestamp;

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorClass {
    /// It may work next time: retried by the job's policy.
    #[default]
    Transient,
    /// It will never work: the job fails at once, whatever attempts are left.
    Permanent,
    /// The other side asked for a pause: retried after `retry_after`, which takes the place of the policy's delay.
    RateLimited {
        /// How long the other side wants to be left alone.
        retry_after: Duration,
    },
}

/// A failure as clients see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// Stable and meant for programs: `HANDLER_ERROR`, `TIMEOUT`, or what the handler chose.
    pub code: Cow<'static, str>,
    /// One sentence for people, at most 4 KiB.
    pub message: String,
    /// The causes behind it, outermost first, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
}

impl JobError {
    /// The handler returned an error without a code of its own.
    pub const HANDLER: &str = "HANDLER_ERROR";
    /// The handler panicked.
    pub const PANIC: &str = "PANIC";
    /// The handler ran longer than the job allows.
    pub const TIMEOUT: &str = "TIMEOUT";
    /// The job killed the process that ran it too often.
    pub const POISONED: &str = "POISONED";
    /// The job waited past its deadline.
    pub const EXPIRED: &str = "EXPIRED";
    /// The payload does not fit the handler.
    pub const BAD_INPUT: &str = "BAD_INPUT";
    /// The handler's result is over the size limit or cannot be serialised.
    pub const BAD_RESULT: &str = "BAD_RESULT";
    /// The process that ran the job died, or lost its lease.
    pub const CRASHED: &str = "CRASHED";

    /// An error with a code and a message, which is clipped to 4 KiB.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl AsRef<str>) -> Self {
        Self { code: code.into(), message: clip(message.as_ref(), ERROR_BYTES_MAX), chain: Vec::new() }
    }

    /// The message and the sources of any error, under `code`.
    pub fn from_error(code: impl Into<Cow<'static, str>>, error: &dyn Error) -> Self {
        let mut described = Self::new(code, error.to_string());
        let sources = std::iter::successors(error.source(), |&cause| cause.source());
        described.chain =
            sources.take(ERROR_CHAIN_MAX).map(|cause| clip(&cause.to_string(), ERROR_BYTES_MAX)).collect();
        described
    }

    /// The error of a job that is given up after `crashes` deaths of its process.
    pub fn poisoned(crashes: u32) -> Self {
        Self::new(
            Self::POISONED,
            format!("the process that ran this job died {crashes} times; replay it when the cause is mended"),
        )
    }

    /// The error of a job that was not worth running any more.
    pub fn expired(moment: Timestamp) -> Self {
        Self::new(Self::EXPIRED, format!("it was to be run, or done, by {moment}; submit it again if it still matters"))
    }

    /// The entry in a job's history for an attempt whose lease ran out.
    pub fn crashed() -> Self {
        Self::new(Self::CRASHED, "the worker's lease ran out before it settled the job")
    }
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Error for JobError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not charge the card")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn the_chain_of_sources_is_kept_in_order() {
        let cause = "x".parse::<u8>().expect_err("not a number");
        let error = JobError::from_error("CARD", &Outer(cause));
        assert_eq!(error.message, "could not charge the card");
        assert_eq!(error.chain, ["invalid digit found in string"]);
    }

    #[test]
    fn long_messages_are_clipped() {
        assert!(JobError::new("X", "y".repeat(1 << 20)).message.len() <= ERROR_BYTES_MAX);
    }
}
