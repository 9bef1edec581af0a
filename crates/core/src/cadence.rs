//! When a schedule ticks: a cron expression in a time zone, or an interval.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Year};
use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::limits::{CRON_LENGTH_MAX, DELAY_MAX, INTERVAL_MIN, InvalidInput};
use crate::time::Timestamp;

/// When a schedule ticks. Ticks are moments of UTC, so that each is one moment whatever clocks do.
///
/// A cron expression has five fields (minute, hour, day of month, month, day of week) or six, with seconds in front, and
/// means the clock of its zone, UTC unless it says otherwise. `L`, `W`, `#`, names and nicknames such as `@daily` are what
/// [OCPS](https://github.com/open-source-cron/ocps) says. When both days are restricted, either will do, as in Vixie's cron.
///
/// Where clocks go forward, an expression with one fixed time of day (one value each for hour, minute and, if there is one,
/// second) that they leave out ticks at the first moment after the gap; where they go back, it ticks once, at the first of the
/// two. Any other, such as `*/30 * * * *` or `30 2,14 * * *`, goes by what clocks show: a time that they leave out does not
/// tick, one that they show twice ticks twice.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Cadence(Kind);

#[derive(Clone, PartialEq)]
enum Kind {
    Cron(Box<InZone>),
    Every(Duration),
}

/// A cron expression as it was written, and what it means.
#[derive(Clone)]
struct InZone {
    expression: String,
    zone: String,
    cron: Cron,
    clock: TimeZone,
}

/// How a cadence is written down.
#[derive(Serialize, Deserialize)]
enum Text {
    Cron(String, String),
    Every(Duration),
}

const UTC: &str = "UTC";

impl Cadence {
    /// By a cron expression, on UTC's clock.
    ///
    /// # Errors
    ///
    /// When it is none, has other than five or six fields, or more than 256 characters.
    pub fn cron(expression: impl Into<String>) -> Result<Self, InvalidInput> {
        Self::cron_in(expression.into(), UTC.into())
    }

    /// By a cron expression on the clock of a zone of the IANA database, such as `Europe/Zurich`.
    ///
    /// # Errors
    ///
    /// As for [`cron`](Self::cron), and when there is no such zone.
    pub fn zoned(expression: impl Into<String>, zone: impl Into<String>) -> Result<Self, InvalidInput> {
        Self::cron_in(expression.into(), zone.into())
    }

    fn cron_in(expression: String, zone: String) -> Result<Self, InvalidInput> {
        if expression.len() > CRON_LENGTH_MAX {
            return Err(InvalidInput::new("cron expression", "must have 256 characters or less"));
        }
        let parser = CronParser::builder().year(Year::Disallowed).build();
        let cron = parser.parse(&expression).map_err(|_| {
            InvalidInput::new("cron expression", "must be five or six fields, such as `30 3 * * 1-5`, or a nickname")
        })?;
        let clock = TimeZone::get(&zone).map_err(|_| {
            InvalidInput::new("time zone", "is not in the IANA database; write it like `Europe/Zurich`")
        })?;
        Ok(Self(Kind::Cron(Box::new(InZone { expression, zone, cron, clock }))))
    }

    /// At every multiple of an interval, counted from 1970, or from the schedule's start where it has one.
    ///
    /// # Errors
    ///
    /// When it is under a second or over ten years.
    pub fn every(interval: Duration) -> Result<Self, InvalidInput> {
        if interval < INTERVAL_MIN || interval > DELAY_MAX {
            return Err(InvalidInput::new("interval", "must be from one second to ten years"));
        }
        Ok(Self(Kind::Every(interval)))
    }

    /// The first tick after a moment; `None` when there is none before the year 5000. Intervals count from
    /// `anchor`, which is a tick itself.
    pub fn next(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Cron(cron) => moment(&cron.cron.find_next_occurrence(&cron.clock(after)?, false).ok()?),
            Kind::Every(_) if after < anchor => Some(anchor),
            Kind::Every(interval) => Some(latest_multiple(after, anchor, *interval).after(*interval)),
        }
    }

    /// The last tick at a moment or before; `None` when there is none, or none of an interval since its `anchor`.
    pub fn latest(&self, until: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Cron(cron) => moment(&cron.cron.find_previous_occurrence(&cron.clock(until)?, true).ok()?),
            Kind::Every(_) if until < anchor => None,
            Kind::Every(interval) => Some(latest_multiple(until, anchor, *interval)),
        }
    }
}

fn latest_multiple(until: Timestamp, anchor: Timestamp, interval: Duration) -> Timestamp {
    let (passed, interval) = (anchor.until(until).as_micros(), interval.as_micros().max(1));
    anchor.after(Duration::from_micros(u64::try_from(passed - passed % interval).unwrap_or(u64::MAX)))
}

fn moment(tick: &Zoned) -> Option<Timestamp> {
    Some(Timestamp::from_micros(tick.timestamp().as_microsecond()))
}

impl InZone {
    /// What its clock shows, in whole seconds.
    fn clock(&self, moment: Timestamp) -> Option<Zoned> {
        let second = jiff::Timestamp::from_second(moment.as_micros().div_euclid(1_000_000)).ok()?;
        Some(second.to_zoned(self.clock.clone()))
    }
}

impl PartialEq for InZone {
    fn eq(&self, other: &Self) -> bool {
        (&self.expression, &self.zone) == (&other.expression, &other.zone)
    }
}

impl TryFrom<Text> for Cadence {
    type Error = InvalidInput;

    fn try_from(text: Text) -> Result<Self, InvalidInput> {
        match text {
            Text::Cron(expression, zone) => Self::cron_in(expression, zone),
            Text::Every(interval) => Self::every(interval),
        }
    }
}

impl From<Cadence> for Text {
    fn from(cadence: Cadence) -> Self {
        match cadence.0 {
            Kind::Cron(cron) => Self::Cron(cron.expression, cron.zone),
            Kind::Every(interval) => Self::Every(interval),
        }
    }
}

impl fmt::Display for Cadence {
    /// As people write it: `0 3 * * * Europe/Zurich` or `every 5m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cron(cron) if cron.zone == UTC => f.write_str(&cron.expression),
            Kind::Cron(cron) => write!(f, "{} {}", cron.expression, cron.zone),
            Kind::Every(interval) => {
                let span = jiff::SignedDuration::try_from(*interval).map_err(|_| fmt::Error)?;
                write!(f, "every {span:#}")
            }
        }
    }
}

impl fmt::Debug for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().expect("RFC 3339").as_microsecond())
    }

    fn ticks(cadence: &Cadence, after: &str, count: usize) -> Vec<String> {
        let next = |tick: &Timestamp| cadence.next(*tick, EPOCH);
        std::iter::successors(next(&at(after)), next).take(count).map(|tick| tick.to_string()).collect()
    }

    #[test]
    fn five_fields_tick_by_the_minute_and_six_by_the_second() {
        let minutes = Cadence::cron("*/20 9 * * 1").expect("valid");
        assert_eq!(
            ticks(&minutes, "2026-11-22T10:00:00.5Z", 2),
            ["2026-11-23T09:00:00.000Z", "2026-11-23T09:20:00.000Z"]
        );
        let seconds = Cadence::cron("30 0 12 * * *").expect("valid");
        assert_eq!(ticks(&seconds, "2026-11-22T12:00:29.999999Z", 1), ["2026-11-22T12:00:30.000Z"]);
        assert_eq!(ticks(&seconds, "2026-11-22T12:00:30Z", 1), ["2026-11-23T12:00:30.000Z"]);
    }

    /// 2 h 30 is left out on 29 March and comes twice on 25 October in Zurich.
    #[test]
    fn a_fixed_time_ticks_once_a_day_whatever_clocks_do() {
        let nightly = Cadence::zoned("30 2 * * *", "Europe/Zurich").expect("valid");
        let forward = ["2026-03-28T01:30:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"];
        assert_eq!(ticks(&nightly, "2026-03-27T12:00:00Z", 3), forward);
        let back = ["2026-10-24T00:30:00.000Z", "2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"];
        assert_eq!(ticks(&nightly, "2026-10-23T12:00:00Z", 3), back);
    }

    #[test]
    fn what_repeats_goes_on_by_elapsed_time_through_both_changes() {
        let half_hourly = Cadence::zoned("*/30 * * * *", "America/New_York").expect("valid");
        for change in ["2026-03-08T05:45:00Z", "2026-11-01T04:45:00Z"] {
            let times: Vec<Timestamp> = ticks(&half_hourly, change, 8).iter().map(|tick| at(tick)).collect();
            assert!(times.windows(2).all(|pair| pair[0].until(pair[1]) == Duration::from_secs(1800)), "{times:?}");
        }
    }

    #[test]
    fn the_latest_tick_is_the_one_before_the_next() {
        for cadence in [Cadence::cron("7,31 3-5 * * *"), Cadence::every(Duration::from_secs(420))] {
            let cadence = cadence.expect("valid");
            let mut tick = at("2026-01-01T00:00:00Z");
            for _ in 0..50 {
                let next = cadence.next(tick, EPOCH).expect("ticks for ever");
                assert_eq!(cadence.latest(next, EPOCH), Some(next));
                assert_eq!(cadence.latest(next.before(Duration::from_micros(1)), EPOCH), cadence.latest(tick, EPOCH));
                tick = next;
            }
        }
    }

    #[test]
    fn an_interval_counts_from_its_anchor() {
        let every = Cadence::every(Duration::from_secs(90)).expect("valid");
        let anchor = at("2026-01-01T00:00:10Z");
        assert_eq!(every.next(at("2025-12-31T00:00:00Z"), anchor), Some(anchor));
        assert_eq!(every.latest(at("2025-12-31T00:00:00Z"), anchor), None);
        assert_eq!(every.next(anchor, anchor), Some(at("2026-01-01T00:01:40Z")));
    }

    #[test]
    fn what_is_no_cadence_is_refused() {
        let long = "1,".repeat(200);
        for expression in
            ["", "* * * *", "60 * * * *", "a b c d e", "* * * * * * *", "0 0 0 1 1 * 2020", "@sometimes", &long]
        {
            assert!(Cadence::cron(expression).is_err(), "{expression:?} must be refused");
        }
        assert_eq!(Cadence::zoned("0 3 * * *", "Mars/Olympus").map_err(|error| error.what()), Err("time zone"));
        assert!(Cadence::every(Duration::from_millis(999)).is_err() && Cadence::every(Duration::MAX).is_err());
    }

    #[test]
    fn what_never_ticks_has_no_next() {
        assert_eq!(Cadence::cron("0 0 30 2 *").expect("an expression").next(EPOCH, EPOCH), None);
    }

    #[test]
    fn a_cadence_is_read_back_as_it_was_written() {
        for cadence in [Cadence::zoned("@daily", "Asia/Kolkata"), Cadence::every(Duration::from_secs(300))] {
            let cadence = cadence.expect("valid");
            let text = serde_json::to_string(&cadence).expect("writes");
            assert_eq!(serde_json::from_str::<Cadence>(&text).expect("reads"), cadence);
        }
        assert!(serde_json::from_str::<Cadence>(r#"{"Cron":["* * *","UTC"]}"#).is_err());
        assert_eq!(Cadence::every(Duration::from_secs(300)).expect("valid").to_string(), "every 5m");
    }
}
