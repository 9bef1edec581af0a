//! What a handler returns when it fails: an error that says whether trying again can help.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use windlass_core::{ErrorClass, JobError};

/// A handler's result. `?` turns any [`std::error::Error`] into a transient [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A handler's failure: what clients see of it, and whether to try again. Like `anyhow::Error` it is no
/// `std::error::Error` itself, so that `?` can make it from every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(
    // A word, because it travels up through every layer in each result, and nearly always is not there.
    Box<Failure>,
);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    class: ErrorClass,
    described: JobError,
}

impl Error {
    /// A failure that may pass: retried by the job's policy.
    pub fn transient(message: impl AsRef<str>) -> Self {
        Self::new(ErrorClass::Transient, JobError::new(JobError::HANDLER, message))
    }

    /// A failure that will not pass: the job fails at once.
    pub fn permanent(message: impl AsRef<str>) -> Self {
        Self::new(ErrorClass::Permanent, JobError::new(JobError::HANDLER, message))
    }

    /// The other side wants a pause of `retry_after` (a `429` with `Retry-After`, say). Spends a retry.
    pub fn rate_limited(retry_after: Duration) -> Self {
        let message = format!("rate limited; trying again after {retry_after:?}");
        Self::new(ErrorClass::RateLimited { retry_after }, JobError::new(JobError::HANDLER, message))
    }

    /// A failure described in full.
    pub fn new(class: ErrorClass, described: JobError) -> Self {
        Self(Box::new(Failure { class, described }))
    }

    /// What a handler that panicked failed with. Transient: the panic may have been about something that passes.
    pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::new(ErrorClass::Transient, JobError::new(JobError::PANIC, text.unwrap_or("the handler panicked")))
    }

    /// The same failure under a stable code that programs can rely on. Default `HANDLER_ERROR`.
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.described.code = code.into();
        self
    }

    /// The same failure in another class.
    pub fn class_as(mut self, class: ErrorClass) -> Self {
        self.0.class = class;
        self
    }

    /// Whether trying again can help.
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// What clients see.
    pub fn described(&self) -> &JobError {
        &self.0.described
    }

    /// What clients see, by value.
    pub fn into_described(self) -> JobError {
        self.0.described
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self::new(ErrorClass::Transient, JobError::from_error(JobError::HANDLER, &error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.described.fmt(f)
    }
}

/// Sorts errors into retry classes on the way out: `charge(card).await.permanent()?`.
pub trait Classify<T> {
    /// Trying again will not help.
    fn permanent(self) -> Result<T>;
    /// Trying again may help; what `?` alone does.
    fn transient(self) -> Result<T>;
    /// Try again after `retry_after`.
    fn rate_limited(self, retry_after: Duration) -> Result<T>;
}

impl<T, E: Into<Error>> Classify<T> for std::result::Result<T, E> {
    fn permanent(self) -> Result<T> {
        self.map_err(|error| error.into().class_as(ErrorClass::Permanent))
    }

    fn transient(self) -> Result<T> {
        self.map_err(|error| error.into().class_as(ErrorClass::Transient))
    }

    fn rate_limited(self, retry_after: Duration) -> Result<T> {
        self.map_err(|error| error.into().class_as(ErrorClass::RateLimited { retry_after }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<u8> {
        Ok(text.parse::<u8>()?)
    }

    #[test]
    fn the_question_mark_makes_a_transient_error() {
        let error = parse("x").expect_err("not a number");
        assert_eq!(error.class(), ErrorClass::Transient);
        assert_eq!(error.described().code, JobError::HANDLER);
    }

    #[test]
    fn a_class_and_a_code_can_be_chosen() {
        let error = parse("x").permanent().expect_err("not a number").code("BAD_CARD");
        assert_eq!(error.class(), ErrorClass::Permanent);
        assert_eq!(error.described().code, "BAD_CARD");
    }
}
