//! Settings of the Redis store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::Clock;
use windlass_store::Retention;

/// How many replicas are waited for, and how long at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replicas {
    pub(crate) count: u32,
    pub(crate) timeout: Duration,
}

/// How to open a store on Redis.
#[derive(Clone)]
#[must_use = "a store is opened by open()"]
pub struct RedisOptions {
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) prefix: String,
    pub(crate) patience: Duration,
    pub(crate) answer_timeout: Duration,
    pub(crate) replicas: Option<Replicas>,
    pub(crate) shards: Option<usize>,
    pub(crate) retention: Retention,
}

impl RedisOptions {
    /// A clock in place of the server's, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// What all keys begin with, in braces: stores of different prefixes know nothing of each other. Default `windlass`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// A PEM file with the certificates to check the server's by, for `rediss:` addresses. Default: those that the system
    /// trusts.
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificates = Some(file.into());
        self
    }

    /// How long a connection may take to come about. Default 5 s.
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

    /// Acknowledges nothing before `count` replicas have it, so that the failover to one of them loses nothing that was
    /// acknowledged. Each turn waits for them, `timeout` at most (less than the `answer_timeout`); after that it has failed as if the store were away,
    /// although the server has it. Default: replicas are not waited for. Not on a cluster. (`WAIT`, Redis's manual.)
    pub fn replicas(mut self, count: u32, timeout: Duration) -> Self {
        self.replicas = (count > 0).then_some(Replicas { count, timeout });
        self
    }

    /// Spreads the jobs among so many shards, 64 at most, each of which is a slot of its own in a cluster, so that the store can
    /// live on several nodes. A job's id says in which shard it is, every queue is in all of them, and a claim asks all. In
    /// exchange, order and the limit of waiting jobs hold within a shard and only roughly between them. It is settled when
    /// a store is first opened; afterwards another number is refused, and leaving it out takes it as it is. Default: one.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
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

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            clock: None,
            root_certificates: None,
            prefix: "windlass".to_owned(),
            patience: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(10),
            replicas: None,
            shards: None,
            retention: Retention::default(),
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("patience", &self.patience)
            .field("answer_timeout", &self.answer_timeout)
            .field("replicas", &self.replicas)
            .field("shards", &self.shards)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
