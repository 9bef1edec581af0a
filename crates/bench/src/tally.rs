//! Who ran: one counter per job number, so that a lost job and one that ran twice cannot hide behind each other.

use std::sync::atomic::{AtomicU8, Ordering};

/// Counts executions of jobs 0 to `jobs` - 1.
#[derive(Debug)]
pub(crate) struct Tally(Vec<AtomicU8>);

/// What a tally says at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// Jobs that ran.
    pub(crate) ran: u64,
    /// Executions beyond each job's first.
    pub(crate) again: u64,
}

impl Tally {
    pub(crate) fn of(jobs: u64) -> Self {
        Self((0..jobs).map(|_| AtomicU8::new(0)).collect())
    }

    /// Job `number` runs. A number that no job has is not counted, so that a job is missing.
    pub(crate) fn mark(&self, number: u64) {
        if let Some(count) = usize::try_from(number).ok().and_then(|index| self.0.get(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self) -> Count {
        let mut total = Count { ran: 0, again: 0 };
        for count in &self.0 {
            let times = u64::from(count.load(Ordering::Relaxed));
            total.ran += times.min(1);
            total.again += times.saturating_sub(1);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_job_and_a_repeated_one_do_not_even_out() {
        let tally = Tally::of(3);
        tally.mark(0);
        tally.mark(1);
        tally.mark(1);
        tally.mark(7);
        assert_eq!(tally.count(), Count { ran: 2, again: 1 });
    }
}
