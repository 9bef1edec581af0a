//! Settings of the PostgreSQL store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::Clock;
use windlass_store::Retention;

/// How to open a store on PostgreSQL.
#[derive(Clone)]
#[must_use = "a store is opened by open()"]
pub struct PostgresOptions {
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) listen_on: Option<String>,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) schema: String,
    pub(crate) connections: usize,
    pub(crate) patience: Duration,
    pub(crate) answer_timeout: Duration,
    pub(crate) notify: bool,
    pub(crate) retention: Retention,
}

impl PostgresOptions {
    /// A clock in place of the server's, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Another address of the same database for the connection that hears hints. Behind a pooler in transaction mode
    /// nobody can listen; without an address that leads past it, jobs of other processes are found by polling.
    pub fn listen_on(mut self, url: impl Into<String>) -> Self {
        self.listen_on = Some(url.into());
        self
    }

    /// Whether other processes are told of new jobs (`NOTIFY`). Without it they find them when they poll; a cancellation
    /// is told in any case. Default true: the first job at once, those that follow within 5 ms together.
    pub fn notify(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }

    /// A PEM file with the certificates to check the server's by, as `sslrootcert` in the address. Default: those that the
    /// system trusts. It matters with `sslmode=require` only.
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificates = Some(file.into());
        self
    }

    /// The schema to keep everything in; it is made when it is missing. Default `windlass`.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Connections at most, besides the one that listens. Default 4. They are opened as they are needed, and all at once by the first
    /// claim that meets [rules](windlass_store::Gates).
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// How long a connection may take to come about, or to become free. Default 5 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long an answer may take before its connection is given up, which is how a network that swallows everything is
    /// noticed. Default 10 s.
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// How long completed and canceled jobs stay readable. Default 24 hours.
    pub fn completed_retention(mut self, retention: Duration) -> Self {
        self.retention.completed = retention;
        self
    }

    /// How long failed jobs stay readable and can be replayed. Default 14 days.
    pub fn failed_retention(mut self, retention: Duration) -> Self {
        self.retention.failed = retention;
        self
    }
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            clock: None,
            listen_on: None,
            root_certificates: None,
            schema: "windlass".to_owned(),
            connections: 4,
            patience: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(10),
            notify: true,
            retention: Retention::default(),
        }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("patience", &self.patience)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
