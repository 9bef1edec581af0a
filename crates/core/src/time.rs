//! Time as Windlass keeps it: microseconds since 1970, read from a [`Clock`] that tests can hold still.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::SpanRelativeTo;
use jiff::fmt::temporal::SpanParser;
use serde::{Deserialize, Serialize};

use crate::limits::{DELAY_MAX, InvalidInput};

/// A moment in UTC, in microseconds since the Unix epoch. Prints as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// The moment `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment and `span` more; stops at the end of time instead of wrapping.
    pub fn after(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// This moment less `span`; stops at the beginning of time instead of wrapping.
    pub fn before(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// How long it is from `self` to `later`; zero when `later` is not later.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0).max(0) as u64)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Moments as RFC 3339 text, for `#[serde(with = "rfc3339")]`.
pub mod rfc3339 {
    use serde::de::{Deserialize, Deserializer, Error as _};
    use serde::ser::{Error as _, Serializer};

    use super::Timestamp;

    /// Writes it to the microsecond.
    pub fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        let moment = jiff::Timestamp::from_microsecond(moment.0).map_err(S::Error::custom)?;
        serializer.collect_str(&moment)
    }

    /// Reads what is no earlier and no later than years of four digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Timestamp(moment.as_microsecond()))
    }
}

/// A span of time from its ISO 8601 text, such as `PT5M` or `P1DT2H`. A day is 24 hours and a week seven days, whatever clocks
/// do meanwhile; hours, minutes and seconds may have a fraction, with a point or a comma, in the last of them.
///
/// # Errors
///
/// When it is none, is negative or over ten years, or has years or months, which are longer or shorter by when they begin.
pub fn iso_8601(text: &str) -> Result<Duration, InvalidInput> {
    let refused = |why| InvalidInput::new("duration", why);
    let span = SpanParser::new().parse_span(text);
    let span = span.map_err(|_| refused("must be ISO 8601, such as PT5M or P1DT2H, and ten years at most"))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(refused("must not have years or months, which are not always as long; write days"));
    }
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| refused("is too long"))?;
    let span = Duration::try_from(span).map_err(|_| refused("must not be negative"))?;
    match span <= DELAY_MAX {
        true => Ok(span),
        false => Err(refused("must be ten years or less")),
    }
}

/// Whether a text is meant as ISO 8601: no other way to write a duration begins with a `P`.
pub fn is_iso_8601(text: &str) -> bool {
    text.trim_start_matches(['+', '-']).starts_with(['P', 'p'])
}

/// Where a store reads the time. Servers use their own clock; memory and embedded stores use one of these.
pub trait Clock: Send + Sync + 'static {
    /// The current moment.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::UNIX_EPOCH.after(since)
    }
}

/// A clock for tests: it stands still until told to move. Clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.as_micros())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().after(span));
    }

    /// Puts the clock at `moment`, which may be earlier.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.as_micros(), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// Stands at 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_767_225_600_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_rfc_3339_with_milliseconds() {
        assert_eq!(ManualClock::default().now().to_string(), "2026-01-01T00:00:00.000Z");
    }

    #[test]
    fn durations_are_read_from_iso_8601() {
        for (text, seconds) in [
            ("PT5M", 300.0),
            ("P1DT2H", 93_600.0),
            ("PT0S", 0.0),
            ("PT0.25S", 0.25),
            ("PT1,5H", 5_400.0),
            ("PT1H30M15S", 5_415.0),
            ("PT90M", 5_400.0),
            ("P2W", 1_209_600.0),
            ("P1W1D", 691_200.0),
            ("+PT1S", 1.0),
            ("pt1m", 60.0),
            ("P3650D", 315_360_000.0),
            ("P0Y0M1D", 86_400.0),
        ] {
            assert_eq!(iso_8601(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
            assert!(is_iso_8601(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_of_iso_8601_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "such as PT5M"),
            ("P", "such as PT5M"),
            ("PT", "such as PT5M"),
            ("5m", "such as PT5M"),
            ("P5", "such as PT5M"),
            ("PT5", "such as PT5M"),
            ("P5H", "such as PT5M"),
            ("PT1D", "such as PT5M"),
            ("PT1S1M", "such as PT5M"),
            ("P0.5D", "such as PT5M"),
            ("PT5M ", "such as PT5M"),
            (" PT5M", "such as PT5M"),
            ("PT٥M", "such as PT5M"),
            ("P1Y", "write days"),
            ("P1M", "write days"),
            ("P1Y2M3DT4H", "write days"),
            ("-PT5M", "negative"),
            ("-P1Y", "write days"),
            ("P3650DT1S", "ten years or less"),
            ("PT87601H", "ten years or less"),
            ("P99999999999999999999D", "ten years at most"),
        ] {
            let refused = iso_8601(text).expect_err(text);
            assert_eq!(refused.what(), "duration");
            assert!(refused.to_string().contains(why), "{text:?}: {refused}");
        }
        for text in ["5m", "1h 30m", "", "soon"] {
            assert!(!is_iso_8601(text), "{text}");
        }
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_time() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.after(Duration::MAX), end);
        assert_eq!(end.until(Timestamp::UNIX_EPOCH), Duration::ZERO);
        assert_eq!(Timestamp::UNIX_EPOCH.before(Duration::from_micros(5)).as_micros(), -5);
    }
}
