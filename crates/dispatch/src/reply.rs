//! What a handler may return.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use windlass_core::{ErrorClass, JobError, Payload};

use crate::error::{Error, Result};
use crate::extract::{Binary, Json, Text};

/// How an attempt ended, as the engine hears it.
#[derive(Clone, Debug, PartialEq)]
pub enum Conclusion {
    /// It succeeded with this result.
    Done(Payload),
    /// It failed.
    Failed(Error),
    /// It wants to run again after this time, without spending an attempt.
    Snoozed(Duration),
}

/// A handler's successful answer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a job",
    label = "not a result",
    note = "return Json<T>, Text, Binary, Payload, String, () or Snooze, or a Result of one of them",
    note = "for a result in JSON, write `Json<{Self}>`"
)]
pub trait IntoPayload {
    /// The result as bytes, or what the handler wants instead.
    fn conclude(self) -> Conclusion;
}

/// What a handler returns to run again after this time: `Ok(Snooze(Duration::from_secs(60)))`. Spends no attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snooze(pub Duration);

impl IntoPayload for Snooze {
    fn conclude(self) -> Conclusion {
        Conclusion::Snoozed(self.0)
    }
}

impl<T: Serialize> IntoPayload for Json<T> {
    fn conclude(self) -> Conclusion {
        json(Payload::json(&self.0))
    }
}

/// A handler's reply to a message, as a job's result: JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<T>(pub T);

// Asked of references, so that a reply which cannot be JSON is a mistake only where its handler is used for jobs.
impl<T> IntoPayload for Reply<T>
where
    for<'a> &'a T: Serialize,
{
    fn conclude(self) -> Conclusion {
        json(Payload::json(&&self.0))
    }
}

fn json(written: serde_json::Result<Payload>) -> Conclusion {
    written.map_or_else(
        |error| {
            let described = JobError::from_error(JobError::BAD_RESULT, &error);
            Conclusion::Failed(Error::new(ErrorClass::Permanent, described))
        },
        Conclusion::Done,
    )
}

impl IntoPayload for Text {
    fn conclude(self) -> Conclusion {
        self.0.conclude()
    }
}

impl IntoPayload for String {
    fn conclude(self) -> Conclusion {
        Conclusion::Done(Payload::new("text/plain; charset=utf-8", self))
    }
}

impl IntoPayload for Binary {
    fn conclude(self) -> Conclusion {
        Conclusion::Done(Payload::new("application/octet-stream", self.0))
    }
}

impl IntoPayload for Payload {
    fn conclude(self) -> Conclusion {
        Conclusion::Done(self)
    }
}

impl IntoPayload for () {
    fn conclude(self) -> Conclusion {
        Conclusion::Done(Payload::new("", Bytes::new()))
    }
}

/// Either a result or another wish: `Result<Result<Json<Report>, Snooze>>`.
impl<T: IntoPayload> IntoPayload for std::result::Result<T, Snooze> {
    fn conclude(self) -> Conclusion {
        match self {
            Ok(result) => result.conclude(),
            Err(snooze) => snooze.conclude(),
        }
    }
}

impl<T: IntoPayload> From<Result<T>> for Conclusion {
    fn from(result: Result<T>) -> Self {
        match result {
            Ok(value) => value.conclude(),
            Err(error) => Self::Failed(error),
        }
    }
}
