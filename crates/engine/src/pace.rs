//! How much to claim ahead of free slots.
//!
//! Claiming ahead hides the store's round trip, but a job claimed early and not started is a job that no other
//! process can take, and an urgent one waits behind it. So a process may hold as many extra jobs as it finishes while two turns
//! pass, the one that brings them and the one before, by what it finished in the last window: fast handlers get full batches,
//! behind slow ones nothing piles up, and before a store that answers fast little does.

use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_millis(50);

/// Timers, and what wakes by them, go in steps of a millisecond: what ends in one is there to be followed in the next.
const STEP: Duration = Duration::from_millis(1);

/// Counts completions per window, and how long turns take.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: usize,
    began: Instant,
    current: usize,
    last: usize,
    /// How long a turn takes: rises at once, falls slowly.
    turn: Duration,
}

impl Pace {
    pub(crate) fn new(limit: usize, now: Instant) -> Self {
        Self { limit, began: now, current: 0, last: 0, turn: Duration::ZERO }
    }

    pub(crate) fn finished(&mut self, count: usize, now: Instant) {
        self.roll(now);
        self.current += count;
    }

    /// A turn that asked for work was answered.
    pub(crate) fn answered(&mut self, took: Duration) {
        self.turn = took.max(self.turn - self.turn.saturating_sub(took) / 8);
    }

    /// How many jobs may be held beyond the free slots.
    pub(crate) fn ahead(&mut self, now: Instant) -> usize {
        self.roll(now);
        let span = (2 * self.turn + STEP).min(WINDOW).as_secs_f64();
        // A window that has just begun says little.
        let age = now.duration_since(self.began).max(2 * STEP);
        let rate = (self.last as f64 / WINDOW.as_secs_f64()).max(self.current as f64 / age.as_secs_f64());
        ((rate * span).ceil() as usize).min(self.limit)
    }

    fn roll(&mut self, now: Instant) {
        let age = now.duration_since(self.began);
        if age >= WINDOW {
            self.last = if age < 2 * WINDOW { self.current } else { 0 };
            self.current = 0;
            self.began = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_follows_completions_up_and_down() {
        let start = Instant::now();
        let mut pace = Pace::new(100, start);
        pace.answered(WINDOW);
        assert_eq!(pace.ahead(start), 0);
        pace.finished(8, start + WINDOW / 2);
        assert_eq!(pace.ahead(start + WINDOW / 2), 16, "at this rate");
        pace.finished(500, start + WINDOW / 2);
        assert_eq!(pace.ahead(start + WINDOW / 2), 100);
        assert_eq!(pace.ahead(start + WINDOW), 100, "the last window still counts");
        assert_eq!(pace.ahead(start + 3 * WINDOW), 0, "nothing finished since");
    }

    #[test]
    fn what_is_held_is_what_two_turns_need() {
        let start = Instant::now();
        let (mut pace, end) = (Pace::new(1_000, start), start + WINDOW);
        pace.finished(500, start);
        pace.answered(Duration::from_millis(2));
        assert_eq!(pace.ahead(end), 50, "ten a millisecond, for twice two of them and a step");
        pace.answered(Duration::from_millis(10));
        assert_eq!(pace.ahead(end), 210, "a slow answer counts at once");
        for _ in 0..100 {
            pace.answered(Duration::from_millis(2));
        }
        assert_eq!(pace.ahead(end), 51, "and is forgotten slowly");
    }

    #[test]
    fn a_few_that_finish_at_once_say_little() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000, start);
        pace.finished(8, start);
        assert_eq!(pace.ahead(start), 4, "eight in the first two milliseconds");
    }
}
