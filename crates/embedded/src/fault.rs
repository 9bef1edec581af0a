//! From SQLite's and the file system's errors to what a caller can do about them.

use std::io;
use std::sync::{Arc, OnceLock};

use rusqlite::ffi;
use windlass_store::{Error, ErrorKind};

/// Why a step inside the store failed. A wrapper, so that `?` can sort foreign errors into kinds.
#[derive(Debug)]
pub(crate) struct Fault(Error);

/// Why the store takes no more writes, once it does not.
pub(crate) type Poison = Arc<OnceLock<Error>>;

/// The result of a step inside the store.
pub(crate) type Checked<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Error::new(kind, message))
    }

    /// What is stored cannot be read, or contradicts itself.
    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// A record that its codec refuses.
    pub(crate) fn unreadable(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Error::with_source(ErrorKind::Corrupt, format!("the {what} on record cannot be read"), source))
    }

    /// A failure of the file system while doing `what`.
    pub(crate) fn file(what: impl Into<String>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            io::ErrorKind::Interrupted | io::ErrorKind::TimedOut => ErrorKind::Unavailable,
            _ => ErrorKind::Config,
        };
        Self(Error::with_source(kind, what, source))
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    pub(crate) fn as_error(&self) -> &Error {
        &self.0
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let kind = classify(&error);
        let message = match kind {
            ErrorKind::Full => "the disk is full",
            ErrorKind::Corrupt => "the database is damaged",
            ErrorKind::Poisoned => "writing to the disk failed; open the store again to recover",
            ErrorKind::Config => "the database refused",
            _ => "the database did not answer",
        };
        Self(Error::with_source(kind, message, error))
    }
}

/// The same failure once more, for every caller whose request shared the transaction.
pub(crate) fn echo(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string())
}

fn classify(error: &rusqlite::Error) -> ErrorKind {
    use rusqlite::Error as E;
    match error {
        E::SqliteFailure(failure, _) | E::SqlInputError { error: failure, .. } => classify_code(*failure),
        E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::InvalidColumnType(..)
        | E::Utf8Error(..)
        | E::QueryReturnedNoRows => ErrorKind::Corrupt,
        _ => ErrorKind::Config,
    }
}

fn classify_code(failure: ffi::Error) -> ErrorKind {
    use rusqlite::ErrorCode as C;
    match failure.code {
        C::DiskFull => ErrorKind::Full,
        // A constraint that fails is a pair assertion of the schema: the file contradicts itself.
        C::DatabaseCorrupt | C::NotADatabase | C::ConstraintViolation => ErrorKind::Corrupt,
        C::SystemIoFailure => classify_io(failure.extended_code),
        C::DatabaseBusy | C::DatabaseLocked | C::OutOfMemory | C::OperationInterrupted => ErrorKind::Unavailable,
        // A damaged header makes SQLite refuse the file, and a damaged schema page makes it miss tables.
        C::Unknown => ErrorKind::Corrupt,
        _ => ErrorKind::Config,
    }
}

/// A failed read leaves the disk as it was; after a failed write or sync nobody knows what it holds.
fn classify_io(extended: i32) -> ErrorKind {
    match extended {
        ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS => ErrorKind::Corrupt,
        ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_NOMEM | ffi::SQLITE_IOERR_LOCK => ErrorKind::Unavailable,
        _ => ErrorKind::Poisoned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(extended: i32) -> ErrorKind {
        Fault::from(rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None)).kind()
    }

    #[test]
    fn every_code_says_what_the_caller_can_do() {
        assert_eq!(kind_of(ffi::SQLITE_FULL), ErrorKind::Full);
        assert_eq!(kind_of(ffi::SQLITE_CORRUPT), ErrorKind::Corrupt);
        assert_eq!(kind_of(ffi::SQLITE_NOTADB), ErrorKind::Corrupt);
        assert_eq!(kind_of(ffi::SQLITE_BUSY), ErrorKind::Unavailable);
        assert_eq!(kind_of(ffi::SQLITE_READONLY), ErrorKind::Config);
    }

    #[test]
    fn a_write_or_sync_that_failed_poisons_and_a_read_does_not() {
        assert_eq!(kind_of(ffi::SQLITE_IOERR_FSYNC), ErrorKind::Poisoned);
        assert_eq!(kind_of(ffi::SQLITE_IOERR_WRITE), ErrorKind::Poisoned);
        assert_eq!(kind_of(ffi::SQLITE_IOERR_TRUNCATE), ErrorKind::Poisoned);
        assert_eq!(kind_of(ffi::SQLITE_IOERR_READ), ErrorKind::Unavailable);
        assert_eq!(kind_of(ffi::SQLITE_IOERR_SHORT_READ), ErrorKind::Corrupt);
    }

    #[test]
    fn an_echo_keeps_kind_and_text() {
        let fault = Fault::from(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None));
        let copy = echo(fault.as_error());
        assert_eq!((copy.kind(), copy.to_string()), (ErrorKind::Full, fault.as_error().to_string()));
    }
}
