//! From the server's and the pool's errors to what a caller can do about them.

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;
use windlass_core::InvalidInput;
use windlass_store::{Error, ErrorKind};

/// Why a step inside the store failed. A wrapper, so that `?` can sort foreign errors into kinds.
#[derive(Debug)]
pub struct Fault(Error);

/// The result of a step inside the store.
pub(crate) type Checked<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self(Error::new(ErrorKind::Corrupt, message))
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self(Error::new(ErrorKind::Config, message))
    }

    /// Whether the server gave up a transaction in favour of another one, so that the same again may succeed.
    pub(crate) fn lost_a_race(&self) -> bool {
        let races = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
        self.code().is_some_and(|code| races.contains(code))
    }

    /// Whether the user may not do what was asked.
    pub(crate) fn lacks_rights(&self) -> bool {
        self.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
    }

    fn code(&self) -> Option<&SqlState> {
        use std::error::Error as _;
        self.0.source()?.downcast_ref::<tokio_postgres::Error>()?.code()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<InvalidInput> for Fault {
    fn from(error: InvalidInput) -> Self {
        Self(Error::with_source(ErrorKind::Corrupt, "the job on record cannot be read", error))
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        let kind = error.code().map_or_else(|| without_code(&error), kind_of);
        let message = match kind {
            ErrorKind::Config if wants_encryption(&error) => {
                "PostgreSQL takes encrypted connections only; add sslmode=require to its address"
            }
            _ => message(kind),
        };
        Self(Error::with_source(kind, format!("{message} ({})", cause(&error)), error))
    }
}

#[cfg(feature = "sqlx")]
impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let kind = match &error {
            sqlx::Error::Database(said) => said.code().map(|code| kind_of(&SqlState::from_code(&code))),
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) => Some(ErrorKind::Corrupt),
            _ => None,
        };
        let kind = kind.unwrap_or(ErrorKind::Unavailable);
        Self(Error::with_source(kind, format!("{} ({error})", message(kind)), error))
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Closed => Self(Error::new(ErrorKind::Closed, "the store was closed")),
            other => Self(Error::with_source(ErrorKind::Unavailable, "no connection to PostgreSQL is free", other)),
        }
    }
}

fn message(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Full => "PostgreSQL has no room",
        ErrorKind::Config => "PostgreSQL refused",
        ErrorKind::Corrupt => "what PostgreSQL keeps contradicts itself",
        _ => "PostgreSQL did not answer",
    }
}

/// What lies at the bottom: the server's own words, or the system's. The driver's say only where it noticed.
fn cause(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return answer.message().to_owned();
    }
    let mut bottom: &dyn std::error::Error = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    bottom.to_string()
}

/// The server has no code of its own for it.
fn wants_encryption(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|answer| answer.message().ends_with("no encryption"))
}

/// A broken connection has no code; neither has a value that cannot be read, nor a certificate that is not trusted.
fn without_code(error: &tokio_postgres::Error) -> ErrorKind {
    use std::error::Error as _;
    match error.source() {
        Some(source) if source.is::<tokio_postgres::types::WrongType>() => ErrorKind::Corrupt,
        Some(source) if is_about_certificates(source) => ErrorKind::Config,
        _ => ErrorKind::Unavailable,
    }
}

fn is_about_certificates(error: &(dyn std::error::Error + 'static)) -> bool {
    let broken = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let broken = broken.and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(broken, Some(rustls::Error::InvalidCertificate(_)))
}

/// Class by class (PostgreSQL manual, appendix A).
fn kind_of(code: &SqlState) -> ErrorKind {
    match &code.code()[..2] {
        "53" => ErrorKind::Full,
        "08" | "40" | "55" | "57" | "58" => ErrorKind::Unavailable,
        "22" | "23" | "XX" => ErrorKind::Corrupt,
        _ => ErrorKind::Config,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_says_what_the_caller_can_do() {
        assert_eq!(kind_of(&SqlState::DISK_FULL), ErrorKind::Full);
        assert_eq!(kind_of(&SqlState::TOO_MANY_CONNECTIONS), ErrorKind::Full);
        assert_eq!(kind_of(&SqlState::ADMIN_SHUTDOWN), ErrorKind::Unavailable);
        assert_eq!(kind_of(&SqlState::T_R_DEADLOCK_DETECTED), ErrorKind::Unavailable);
        assert_eq!(kind_of(&SqlState::INSUFFICIENT_PRIVILEGE), ErrorKind::Config);
        assert_eq!(kind_of(&SqlState::CHECK_VIOLATION), ErrorKind::Corrupt);
    }
}
