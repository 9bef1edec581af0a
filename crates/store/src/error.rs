//! Why a store could not do what it was asked.

use std::fmt;

/// The result of a store's method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A store's failure: what kind it is, what was tried, and the cause underneath. The text is for operators; HTTP
/// answers never show it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
}

/// What a caller can do about a store's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store is away, restarting or too slow. Whether a write happened is unknown. Try again.
    Unavailable,
    /// The store takes no more for now: its disk, its memory or the queue in front of it is full. Nothing was
    /// written. Try again when there is room.
    Full,
    /// What is stored is damaged. Repair or restore it; trying again does not help.
    Corrupt,
    /// A write to disk failed and what the disk holds is unknown. The store refuses everything until it is
    /// opened again and has recovered.
    Poisoned,
    /// Another process has the store.
    Locked,
    /// The settings, the version or the rights are wrong.
    Config,
    /// The store was closed.
    Closed,
}

impl Error {
    /// A failure without a cause underneath.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// A failure because of `source`.
    pub fn with_source(kind: ErrorKind, message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// What can be done about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether asking again later can succeed without anybody's help.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Full)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
