//! How much to claim ahead of free slots.
//!
//! Claiming ahead hides the store's round trip, but a job claimed early and not started is a job that no other
//! process can take. So a process may hold as many extra jobs as it finished in the last window: fast handlers get
//! full batches, and behind slow ones nothing piles up.

use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_millis(50);

/// Counts completions per window.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: usize,
    began: Instant,
    current: usize,
    last: usize,
}

impl Pace {
    pub(crate) fn new(limit: usize, now: Instant) -> Self {
        Self { limit, began: now, current: 0, last: 0 }
    }

    pub(crate) fn finished(&mut self, count: usize, now: Instant) {
        self.turn(now);
        self.current += count;
    }

    /// How many jobs may be held beyond the free slots.
    pub(crate) fn ahead(&mut self, now: Instant) -> usize {
        self.turn(now);
        self.last.max(self.current).min(self.limit)
    }

    fn turn(&mut self, now: Instant) {
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
        assert_eq!(pace.ahead(start), 0);
        pace.finished(8, start);
        assert_eq!(pace.ahead(start), 8);
        pace.finished(500, start);
        assert_eq!(pace.ahead(start), 100);
        assert_eq!(pace.ahead(start + WINDOW), 100, "the last window still counts");
        assert_eq!(pace.ahead(start + 3 * WINDOW), 0, "nothing finished since");
    }
}
