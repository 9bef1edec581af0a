//! From the server's errors to what a caller can do about them.

use redis::RedisError;
use windlass_core::InvalidInput;
use windlass_store::{Error, ErrorKind};

/// Why a step inside the store failed. A wrapper, so that `?` can sort foreign errors into kinds.
#[derive(Debug)]
pub(crate) struct Fault(Error);

/// The result of a step inside the store.
pub(crate) type Checked<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self(Error::new(ErrorKind::Corrupt, message))
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self(Error::new(ErrorKind::Config, message))
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self(Error::new(ErrorKind::Unavailable, message))
    }

    /// Whether the server had no room, and did nothing.
    pub(crate) fn is_full(&self) -> bool {
        self.0.kind() == ErrorKind::Full
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

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        let kind = kind_of(&error);
        let message = match kind {
            ErrorKind::Full => "Redis has no room",
            ErrorKind::Config => "Redis refused",
            ErrorKind::Corrupt => "what Redis keeps contradicts itself",
            _ => "Redis did not answer",
        };
        Self(Error::with_source(kind, message, error))
    }
}

fn kind_of(error: &RedisError) -> ErrorKind {
    if is_about_certificates(error) {
        return ErrorKind::Config;
    }
    match (error.code(), error.kind()) {
        // MISCONF: writes to disk fail, most often because it is full.
        (Some("OOM" | "MISCONF"), _) => ErrorKind::Full,
        (Some("NOPERM" | "NOAUTH" | "WRONGPASS" | "CROSSSLOT" | "DENIED"), _) => ErrorKind::Config,
        (_, redis::ErrorKind::AuthenticationFailed | redis::ErrorKind::InvalidClientConfig) => ErrorKind::Config,
        (Some("ERR"), _) => without_code(error.detail().unwrap_or_default()),
        (Some("WRONGTYPE" | "EXECABORT"), _) => ErrorKind::Corrupt,
        (_, redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType) => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}

/// The server has no code of their own for these.
fn without_code(detail: &str) -> ErrorKind {
    let says = |words: &[&str]| words.iter().any(|word| detail.contains(word));
    if says(&["can't run this command", "ACL failure", "unknown command", "DB index", "AUTH"]) {
        ErrorKind::Config
    } else if says(&["max number of clients"]) {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Corrupt
    }
}

/// The driver wraps them as failures of the connection.
fn is_about_certificates(error: &RedisError) -> bool {
    let text = error.to_string();
    error.is_io_error() && (text.contains("certificate") || text.contains("UnknownIssuer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_what_the_caller_can_do() {
        for (code, kind) in [
            ("OOM", ErrorKind::Full),
            ("MISCONF", ErrorKind::Full),
            ("NOPERM", ErrorKind::Config),
            ("LOADING", ErrorKind::Unavailable),
            ("READONLY", ErrorKind::Unavailable),
            ("WRONGTYPE", ErrorKind::Corrupt),
        ] {
            let error = redis::make_extension_error(code.to_owned(), Some("why".to_owned()));
            assert_eq!(kind_of(&error), kind, "{code}");
        }
        assert_eq!(without_code("max number of clients reached"), ErrorKind::Unavailable);
        assert_eq!(without_code("unknown command 'EVALSHA'"), ErrorKind::Config);
        assert_eq!(without_code("user_script:12: attempt to index a nil value"), ErrorKind::Corrupt);
    }
}
