//! When things happened: one moment per job number, and what can be said of many durations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Notes one moment per job number, from many threads.
#[derive(Debug)]
pub(crate) struct Moments {
    base: Instant,
    /// Nanoseconds after `base`, plus one; zero stands for never.
    at: Vec<AtomicU64>,
}

impl Moments {
    pub(crate) fn of(jobs: u64) -> Self {
        Self { base: Instant::now(), at: (0..jobs).map(|_| AtomicU64::new(0)).collect() }
    }

    /// It happened to job `number` just now.
    pub(crate) fn note(&self, number: u64) {
        let nanos = self.base.elapsed().as_nanos() as u64 + 1;
        if let Some(at) = usize::try_from(number).ok().and_then(|index| self.at.get(index)) {
            at.store(nanos, Ordering::Relaxed);
        }
    }

    /// When it happened to each job, in order of numbers.
    pub(crate) fn all(&self) -> impl Iterator<Item = Option<Instant>> {
        let read = |at: &AtomicU64| at.load(Ordering::Relaxed).checked_sub(1);
        self.at.iter().map(move |at| read(at).map(|nanos| self.base + Duration::from_nanos(nanos)))
    }

    /// From each job's moment in `self` to its moment in `later`, for jobs that have both.
    pub(crate) fn until(&self, later: &Self) -> Spans {
        let pairs = self.all().zip(later.all());
        pairs.filter_map(|(from, to)| Some(to?.saturating_duration_since(from?))).collect()
    }
}

/// Many durations, shortest first.
#[derive(Debug, Default)]
pub(crate) struct Spans(Vec<Duration>);

impl FromIterator<Duration> for Spans {
    fn from_iter<I: IntoIterator<Item = Duration>>(spans: I) -> Self {
        let mut sorted: Vec<Duration> = spans.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }
}

impl Spans {
    /// The duration, in milliseconds, that a `share` of all do not exceed.
    pub(crate) fn quantile_ms(&self, share: f64) -> Option<f64> {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.max(1) - 1).map(|span| span.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_durations_that_were_measured() {
        let spans: Spans = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(spans.quantile_ms(0.5), Some(50.0));
        assert_eq!(spans.quantile_ms(0.99), Some(99.0));
        assert_eq!(spans.quantile_ms(1.0), Some(100.0));
        assert_eq!(Spans::default().quantile_ms(0.5), None);
    }

    #[test]
    fn jobs_without_both_moments_have_no_span() {
        let (from, to) = (Moments::of(2), Moments::of(2));
        from.note(0);
        from.note(1);
        to.note(1);
        assert!(from.until(&to).quantile_ms(1.0).is_some());
        assert_eq!(from.until(&to).0.len(), 1);
    }
}
