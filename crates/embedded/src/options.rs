//! Settings of the embedded store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::{Clock, SystemClock};
use windlass_store::Retention;

/// How to open an embedded store. Every setting has a default that suits one machine.
#[derive(Clone)]
#[must_use = "a store is opened by open()"]
pub struct EmbeddedOptions {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retention: Retention,
    pub(crate) queue_depth: usize,
}

impl EmbeddedOptions {
    /// Where the store reads the time. Default: the machine's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
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

    /// How many requests may wait for the writer before submissions are refused with
    /// [`ErrorKind::Full`](windlass_store::ErrorKind::Full). Default 1024, at least 1.
    pub fn queue_depth(mut self, requests: usize) -> Self {
        self.queue_depth = requests.max(1);
        self
    }
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), retention: Retention::default(), queue_depth: 1024 }
    }
}

impl fmt::Debug for EmbeddedOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedOptions")
            .field("retention", &self.retention)
            .field("queue_depth", &self.queue_depth)
            .finish_non_exhaustive()
    }
}
