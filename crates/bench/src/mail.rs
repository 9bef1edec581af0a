//! The job that every system runs: a JSON payload of about 100 bytes and a handler that only reads it.

use serde::{Deserialize, Serialize};

/// The payload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mail {
    /// The job's number, from 0.
    pub(crate) id: u64,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) body: String,
}

impl Mail {
    /// The payload of job `number`.
    pub(crate) fn numbered(number: u64) -> Self {
        Self {
            id: number,
            to: format!("user{:07}@example.com", number % 10_000_000),
            subject: "welcome".to_owned(),
            body: "x".repeat(32),
        }
    }
}
