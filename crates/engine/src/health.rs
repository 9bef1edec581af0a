//! Liveness and readiness: a loop that has not had a good pass for long is stale, and a stale loop shows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::time::Instant;
use windlass_core::{JobName, Timestamp};

/// How the engine is. Serialises for health endpoints; it holds nothing secret.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Whether the process does anything at all: `false` when a loop has been stuck for a minute or more, which a
    /// restart may mend.
    pub live: bool,
    /// Whether the process should get traffic: no loop is stale, and it is not shutting down.
    pub ready: bool,
    /// Which kind of store it uses.
    pub store: &'static str,
    /// Attempts that run now.
    pub running: usize,
    /// Attempts that may run at the same time: `max_concurrency`, or with `min_concurrency` what handlers bear now.
    pub concurrency: usize,
    /// Handlers whose jobs wait because too many attempts failed, as far as this process knows. They leave it ready: it is
    /// not its fault.
    pub open_breakers: Vec<OpenBreaker>,
    /// Every loop.
    pub loops: Vec<LoopHealth>,
}

/// A handler whose [breaker](crate::Breaker) is not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenBreaker {
    /// The handler.
    pub handler: JobName,
    /// Until when none of its attempts starts, by the store's clock; then a few probe. `None` while they do. RFC 3339 where it
    /// is serialised.
    #[serde(serialize_with = "moment")]
    pub until: Option<Timestamp>,
}

fn moment<S: Serializer>(until: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match until {
        Some(until) => windlass_core::time::rfc3339::serialize(until, serializer),
        None => serializer.serialize_none(),
    }
}

/// How one loop is.
#[derive(Clone, Debug, Serialize)]
pub struct LoopHealth {
    /// Its name.
    pub name: &'static str,
    /// How long ago its last good pass was, in milliseconds.
    pub age_ms: u64,
    /// Whether that is too long.
    pub stale: bool,
}

const STUCK: Duration = Duration::from_secs(60);

/// The pulse of one loop.
#[derive(Debug)]
pub(crate) struct Beat {
    name: &'static str,
    stale_after: Duration,
    epoch: Instant,
    last_ms: AtomicU64,
}

impl Beat {
    /// A pulse expected every `interval`; stale after five of them without one, but not before five seconds.
    pub(crate) fn every(name: &'static str, interval: Duration) -> Self {
        let stale_after = (interval * 5).max(Duration::from_secs(5));
        Self { name, stale_after, epoch: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    /// Notes a good pass.
    pub(crate) fn good(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed)))
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.age() > self.stale_after.max(STUCK)
    }

    pub(crate) fn look(&self) -> LoopHealth {
        let age = self.age();
        LoopHealth { name: self.name, age_ms: age.as_millis() as u64, stale: age > self.stale_after }
    }

    fn now_ms(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }
}
