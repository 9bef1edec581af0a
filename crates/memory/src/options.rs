//! What can be set.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long a [`Memory`](crate::Memory) keeps jobs that have finished. Sweeps remove them afterwards.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use windlass_core::SystemClock;
/// use windlass_memory::{Memory, MemoryOptions};
///
/// let options = MemoryOptions { completed_retention: Duration::from_secs(600), ..MemoryOptions::default() };
/// let store = Memory::with_options(options, Arc::new(SystemClock));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryOptions {
    /// For `Completed` and `Canceled` jobs. Default 24 h.
    pub completed_retention: Duration,
    /// For `Failed` jobs, the dead letters. Default 14 days.
    pub failed_retention: Duration,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { completed_retention: DAY, failed_retention: 14 * DAY }
    }
}
