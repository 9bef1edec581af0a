//! A time that runs fast, the same in every process that is told when it began.

use std::time::Duration;

use windlass::core::{Clock, SystemClock, Timestamp};

/// Thus 2,000 days pass in twelve seconds.
const SPEED: u32 = 14_400_000;

/// Begins in 2024, whenever it begins.
pub(crate) struct FastClock {
    since: Timestamp,
}

impl FastClock {
    /// Where it begins.
    pub(crate) const BEGINNING: Timestamp = Timestamp::from_millis(1_704_067_200_000);

    /// Began at a moment of the machine's clock.
    pub(crate) fn since(moment: Timestamp) -> Self {
        Self { since: moment }
    }
}

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        let passed: Duration = self.since.until(SystemClock.now());
        Self::BEGINNING.after(passed * SPEED)
    }
}
