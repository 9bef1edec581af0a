//! When a handler's jobs are left alone for a while: what users say about it.

use std::time::Duration;

use windlass_core::InvalidInput;
use windlass_core::limits::DELAY_MAX;

/// The shortest window and pause.
const SPAN_MIN: Duration = Duration::from_millis(100);

/// When the breaker of a handler opens, for how long, and what closes it (a circuit breaker, as in Nygard, *Release It!*).
///
/// Failures are transient errors, a panic and being rate-limited among them, and attempts that ran out of time. Permanent
/// errors, cancellations, snoozes and deadlines say nothing. Set with
/// [`EngineBuilder::breaker`](crate::EngineBuilder::breaker), or for all handlers with
/// [`breaker_failure_rate`](crate::Settings::breaker_failure_rate).
///
/// ```
/// # use std::time::Duration;
/// # use windlass_engine::Breaker;
/// let breaker = Breaker { failure_rate: 0.8, pause: Duration::from_secs(30), ..Breaker::default() };
/// assert!(breaker.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breaker {
    /// It opens when this share of the attempts in the window failed. Above 0, 1 at most. Default 0.5.
    pub failure_rate: f64,
    /// Fewer attempts in the window than these say nothing. Counted in each process by itself. Default 20.
    pub min_attempts: u32,
    /// How far it looks back, over the last 200 attempts at most (or `min_attempts` where that is more). Default 30 s.
    pub window: Duration,
    /// How long nobody starts at first. When a probe fails, it is as long again as it has been open and this pause more:
    /// about twice as long each time. Default 5 s.
    pub pause: Duration,
    /// No pause is longer. Default 5 min.
    pub max_pause: Duration,
    /// How many attempts of a process probe at the same time, and how many must succeed in a row. Default 3.
    pub probes: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failure_rate: 0.5,
            min_attempts: 20,
            window: Duration::from_secs(30),
            pause: Duration::from_secs(5),
            max_pause: Duration::from_secs(5 * 60),
            probes: 3,
        }
    }
}

impl Breaker {
    /// Refuses what cannot work.
    ///
    /// # Errors
    ///
    /// Says which value it is and what it must be.
    pub fn validate(&self) -> Result<(), InvalidInput> {
        let invalid = |what, why| Err(InvalidInput::new(what, why));
        if !(self.failure_rate > 0.0 && self.failure_rate <= 1.0) {
            return invalid("failure_rate", "must be above 0 and 1 at most: 0.5 for half of the attempts");
        }
        if self.min_attempts == 0 {
            return invalid("min_attempts", "must be 1 or more: so many attempts say something");
        }
        if self.probes == 0 {
            return invalid("probes", "must be 1 or more: without one it never closes");
        }
        if self.window < SPAN_MIN || self.window > DELAY_MAX {
            return invalid("window", "must be from 100 ms to ten years");
        }
        if self.pause < SPAN_MIN || self.pause > self.max_pause {
            return invalid("pause", "must be from 100 ms to max_pause; leave the breaker out where none is wanted");
        }
        if self.max_pause > DELAY_MAX {
            return invalid("max_pause", "must be ten years or less");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakers_that_cannot_work_are_refused_by_name() {
        let good = Breaker::default();
        assert_eq!(good.validate(), Ok(()));
        let wrong = [
            ("failure_rate", Breaker { failure_rate: 0.0, ..good }),
            ("failure_rate", Breaker { failure_rate: 1.01, ..good }),
            ("failure_rate", Breaker { failure_rate: f64::NAN, ..good }),
            ("min_attempts", Breaker { min_attempts: 0, ..good }),
            ("probes", Breaker { probes: 0, ..good }),
            ("window", Breaker { window: Duration::ZERO, ..good }),
            ("pause", Breaker { pause: Duration::ZERO, ..good }),
            ("pause", Breaker { pause: good.max_pause * 2, ..good }),
            ("max_pause", Breaker { max_pause: Duration::MAX, ..good }),
        ];
        for (what, breaker) in wrong {
            assert_eq!(breaker.validate().map_err(|error| error.what()), Err(what), "{breaker:?}");
        }
        assert!(Breaker { failure_rate: 1.0, ..good }.validate().is_ok(), "all of them");
    }
}
