//! When a failed attempt is tried again: one policy, stored with the job, the same on every backend.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::ErrorClass;
use crate::limits::{DELAY_MAX, InvalidInput, RETRIES_MAX};

/// Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): the delay before
/// retry *n* is drawn evenly from zero to `base · 2ⁿ⁻¹`, at most `cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Retries after the first attempt. Default 3.
    pub max_retries: u32,
    /// Upper bound of the first delay. Default 2 s.
    pub base: Duration,
    /// Upper bound of every delay. Default 1 h.
    pub cap: Duration,
    /// Deaths of the process that runs it after which a job is taken for the cause. Default 3.
    pub max_crashes: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 3, base: Duration::from_secs(2), cap: Duration::from_secs(3600), max_crashes: 3 }
    }
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this delay.
    Retry(Duration),
    /// Give up.
    Fail,
}

impl RetryPolicy {
    /// Refuses more than 1 000 retries, delays over ten years, and a crash limit of zero.
    pub fn check(&self) -> Result<(), InvalidInput> {
        if self.max_retries > RETRIES_MAX {
            return Err(InvalidInput::new("max_retries", "must be 1000 or less"));
        }
        if self.base > DELAY_MAX || self.cap > DELAY_MAX {
            return Err(InvalidInput::new("retry delay", "must be ten years or less"));
        }
        if self.max_crashes == 0 {
            return Err(InvalidInput::new("max_crashes", "must be 1 or more"));
        }
        Ok(())
    }

    /// Upper bound of the delay before retry `retry`, counted from 1.
    pub fn delay_max(&self, retry: u32) -> Duration {
        let doublings = retry.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// Decides on an attempt that failed after `retries` earlier retries. `random` is an even draw from 0 to 1.
    pub fn judge(&self, class: ErrorClass, retries: u32, random: f64) -> Verdict {
        match class {
            ErrorClass::Permanent => Verdict::Fail,
            _ if retries >= self.max_retries => Verdict::Fail,
            ErrorClass::RateLimited { retry_after } => Verdict::Retry(retry_after.min(DELAY_MAX)),
            ErrorClass::Transient => Verdict::Retry(self.delay_max(retries + 1).mul_f64(random.clamp(0.0, 1.0))),
        }
    }

    /// Whether a job that lost its lease `crashes` times, the last one included, is taken for the cause.
    pub fn is_poisoned(&self, crashes: u32) -> bool {
        crashes >= self.max_crashes
    }

    /// Whether one more crash would make the job poisoned. Such a *suspect* runs with no other suspect beside it
    /// in its process, so that the strike that condemns a job is never a bystander's.
    pub fn is_suspect(&self, crashes: u32) -> bool {
        crashes > 0 && crashes + 1 >= self.max_crashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: RetryPolicy =
        RetryPolicy { max_retries: 3, base: Duration::from_secs(2), cap: Duration::from_secs(60), max_crashes: 3 };

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let bounds: Vec<u64> = (1..=7).map(|retry| POLICY.delay_max(retry).as_secs()).collect();
        assert_eq!(bounds, [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(POLICY.delay_max(u32::MAX), POLICY.cap);
    }

    #[test]
    fn permanent_errors_fail_at_once_and_transient_ones_when_spent() {
        assert_eq!(POLICY.judge(ErrorClass::Permanent, 0, 0.5), Verdict::Fail);
        assert_eq!(POLICY.judge(ErrorClass::Transient, 2, 0.5), Verdict::Retry(Duration::from_secs(4)));
        assert_eq!(POLICY.judge(ErrorClass::Transient, 3, 0.5), Verdict::Fail);
    }

    #[test]
    fn a_rate_limit_names_its_own_delay() {
        let class = ErrorClass::RateLimited { retry_after: Duration::from_secs(90) };
        assert_eq!(POLICY.judge(class, 0, 0.0), Verdict::Retry(Duration::from_secs(90)));
    }

    #[test]
    fn only_the_last_strike_makes_a_suspect() {
        let suspects: Vec<bool> = (0..4).map(|crashes| POLICY.is_suspect(crashes)).collect();
        assert_eq!(suspects, [false, false, true, true]);
        assert!(!RetryPolicy { max_crashes: 1, ..POLICY }.is_suspect(0));
    }

    proptest! {
        #[test]
        fn delays_stay_within_their_bound(retries in 0_u32..3, random in 0.0_f64..=1.0) {
            let Verdict::Retry(delay) = POLICY.judge(ErrorClass::Transient, retries, random) else {
                panic!("attempts were left");
            };
            prop_assert!(delay <= POLICY.delay_max(retries + 1));
        }
    }
}
