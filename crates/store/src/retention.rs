//! How long finished jobs stay.

use std::time::Duration;

use windlass_core::Status;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long finished jobs stay readable before a sweep removes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Completed and canceled ones. Default 24 hours.
    pub completed: Duration,
    /// Failed ones, which can be replayed. Default 14 days.
    pub failed: Duration,
}

impl Retention {
    /// For a job that ended like this.
    pub fn of(&self, status: Status) -> Duration {
        if status == Status::Failed { self.failed } else { self.completed }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { completed: DAY, failed: 14 * DAY }
    }
}
