//! Durations that read aloud: `5.minutes()`.

use std::time::Duration;

/// Makes durations of whole numbers. Products that do not fit stop at the longest duration there is.
pub trait Spans {
    /// So many seconds.
    fn seconds(self) -> Duration;
    /// So many minutes.
    fn minutes(self) -> Duration;
    /// So many hours.
    fn hours(self) -> Duration;
    /// So many days of 24 hours.
    fn days(self) -> Duration;
}

impl Spans for u64 {
    fn seconds(self) -> Duration {
        Duration::from_secs(self)
    }

    fn minutes(self) -> Duration {
        Duration::from_secs(self.saturating_mul(60))
    }

    fn hours(self) -> Duration {
        Duration::from_secs(self.saturating_mul(3_600))
    }

    fn days(self) -> Duration {
        Duration::from_secs(self.saturating_mul(86_400))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_what_they_say() {
        assert_eq!(5.minutes(), Duration::from_secs(300));
        assert_eq!(2.days(), 48.hours());
        assert_eq!(u64::MAX.hours(), u64::MAX.seconds());
    }
}
