//! Where the ready jobs of a line begin.
//!
//! A claim takes rows away from the head of an index. Until the vacuum has removed what they leave, which it may not while
//! anybody holds an older snapshot, whoever reads the index from its head steps over all of it. So a process remembers how
//! far it has got and begins there, once reading from the head has become slow. Jobs may turn up behind it, from another
//! worker, a retry or a slow transaction, so it goes back to the head now and then, for a fortieth of its time at most.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use windlass_core::{Priority, QueueName};
use windlass_store::Claim;

/// A look from the head that takes no longer is not worth being spared.
const QUICK: Duration = Duration::from_millis(5);
/// Nor is what its jobs cost, each.
const QUICK_PER_JOB: Duration = Duration::from_micros(25);
/// How much longer than a look from the head the pause before the next one is.
const PAUSE: u32 = 40;
/// But no longer than that: a look may have been slow for another reason.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A number for each priority, under which no ready job is known.
type Numbers = [i64; Priority::LEVELS];

/// What a process remembers of its lines.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lines: HashMap<QueueName, Numbers>,
    /// When to look from the head again; `None` when that is quick.
    again: Option<Instant>,
}

/// A job that was found, by where it stood.
pub(crate) struct Found<'a> {
    pub(crate) line: &'a QueueName,
    pub(crate) priority: Priority,
    pub(crate) seq: i64,
}

impl Marks {
    /// Where a claim is to begin in each of its lines, line after line; `None` for the head of all.
    pub(crate) fn of(&self, claim: &Claim, now: Instant) -> Option<Vec<i64>> {
        let state = self.state();
        state.again.filter(|again| now < *again)?;
        let blank = [0; Priority::LEVELS];
        Some(claim.queues.iter().flat_map(|line| *state.lines.get(line).unwrap_or(&blank)).collect())
    }

    /// Notes what a claim found, `jobs` in all. `looked` is how long it took, if it began at the head; when that was quick
    /// there is nothing to remember.
    pub(crate) fn note<'a>(
        &self,
        jobs: usize,
        found: impl Iterator<Item = Found<'a>>,
        looked: Option<Duration>,
        now: Instant,
    ) {
        let mut state = self.state();
        if let Some(took) = looked {
            let quick = QUICK + QUICK_PER_JOB * u32::try_from(jobs).unwrap_or(u32::MAX);
            if took <= quick {
                *state = State::default();
                return;
            }
            state.again = Some(now + (took * PAUSE).min(PAUSE_MAX));
        }
        for Found { line, priority, seq } in found {
            if !state.lines.contains_key(line) {
                state.lines.insert(line.clone(), [0; Priority::LEVELS]);
            }
            if let Some(numbers) = state.lines.get_mut(line) {
                let number = &mut numbers[usize::from(priority.level())];
                *number = (*number).max(seq + 1);
            }
        }
    }

    /// How long until a claim begins at the head again, after one that did not.
    pub(crate) fn pause(&self, now: Instant) -> Duration {
        self.state().again.map_or(Duration::ZERO, |again| again.saturating_duration_since(now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::Incarnation;

    use super::*;

    const SLOW: Duration = Duration::from_millis(50);

    fn claim(lines: &[&str]) -> Claim {
        let queues = lines.iter().map(|line| QueueName::new(*line).expect("valid")).collect();
        Claim { queues, limit: 1, lease: SLOW, worker: Incarnation::random(), suspects: 0, handlers: None }
    }

    fn found(line: &QueueName, level: u8, seq: i64) -> Found<'_> {
        Found { line, priority: Priority::new(level).expect("valid"), seq }
    }

    #[test]
    fn claims_begin_at_the_head_as_long_as_that_is_quick() {
        let (marks, claim, now) = (Marks::default(), claim(&["a"]), Instant::now());
        assert_eq!(marks.of(&claim, now), None);
        marks.note(1, [found(&claim.queues[0], 5, 7)].into_iter(), Some(QUICK), now);
        assert_eq!(marks.of(&claim, now), None);
    }

    #[test]
    fn after_a_slow_look_claims_begin_where_the_last_one_ended_and_look_again_after_a_while() {
        let (marks, claim, now) = (Marks::default(), claim(&["a", "b"]), Instant::now());
        marks.note(2, [found(&claim.queues[1], 5, 7), found(&claim.queues[1], 5, 6)].into_iter(), Some(SLOW), now);
        let mut expected = vec![0; 2 * Priority::LEVELS];
        expected[Priority::LEVELS + 5] = 8;
        assert_eq!(marks.of(&claim, now), Some(expected));
        assert_eq!(marks.pause(now), SLOW * PAUSE);
        assert_eq!(marks.of(&claim, now + SLOW * PAUSE), None);
        marks.note(0, std::iter::empty(), Some(Duration::from_secs(3)), now);
        assert_eq!(marks.pause(now), PAUSE_MAX, "whatever made that look slow");
    }

    #[test]
    fn a_batch_may_take_its_time() {
        let (marks, claim, now) = (Marks::default(), claim(&["a"]), Instant::now());
        marks.note(10_000, (0..10_000).map(|seq| found(&claim.queues[0], 5, seq)), Some(SLOW), now);
        assert_eq!(marks.of(&claim, now), None);
    }
}
