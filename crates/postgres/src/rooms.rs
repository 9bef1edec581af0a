//! How much room lines have, so that not every submission has to count the jobs that wait.
//!
//! Counting steps over everything in the line. A line that had plenty of room a moment ago has some now: as long as this
//! process keeps within it, only a pause later is it counted again. Near its limit a line is counted by each submission,
//! under a lock, and the limit holds exactly (ADR 7).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use windlass_core::QueueName;

/// With less room than that, or than a quarter of the limit, a line is near its limit.
pub(crate) const NEAR: i64 = 4_096;
/// How long a count is good for: at least so long,
const GOOD_AT_LEAST: Duration = Duration::from_millis(50);
/// so many times as long as counting took,
const GOOD_TIMES: u32 = 40;
/// and at most so long.
const GOOD_AT_MOST: Duration = Duration::from_secs(2);

/// What a process knows of its lines.
#[derive(Debug, Default)]
pub(crate) struct Rooms(Mutex<HashMap<QueueName, Room>>);

#[derive(Clone, Copy, Debug)]
struct Room {
    limit: i64,
    left: i64,
    good_until: Instant,
}

impl Rooms {
    /// Whether there is plenty of room for `jobs` more, which is taken then; `None` when the line has to be counted for
    /// that.
    pub(crate) fn take(&self, line: &QueueName, limit: i64, jobs: i64, now: Instant) -> Option<bool> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.get_mut(line).filter(|room| room.limit == limit && now < room.good_until)?;
        let plenty = room.left - jobs > NEAR.max(limit / 4);
        if plenty {
            room.left -= jobs;
        }
        Some(plenty)
    }

    /// Notes how many jobs a line can take until it holds `limit`, and how long it took to count them.
    pub(crate) fn note(&self, line: &QueueName, limit: i64, left: i64, took: Duration, now: Instant) {
        let good = (took * GOOD_TIMES).clamp(GOOD_AT_LEAST, GOOD_AT_MOST);
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Names made up on the fly must not pile up.
        rooms.retain(|_, room| now < room.good_until);
        rooms.insert(line.clone(), Room { limit, left, good_until: now + good });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: i64 = 10_000;
    const QUICK: Duration = Duration::from_micros(100);

    #[test]
    fn a_line_with_plenty_of_room_is_counted_again_after_a_while() {
        let (rooms, line, now) = (Rooms::default(), QueueName::default(), Instant::now());
        assert_eq!(rooms.take(&line, LIMIT, 1, now), None);
        rooms.note(&line, LIMIT, LIMIT, QUICK, now);
        assert_eq!(rooms.take(&line, LIMIT, 1, now), Some(true));
        assert_eq!(rooms.take(&line, LIMIT, 1, now + GOOD_AT_LEAST), None);
        assert_eq!(rooms.take(&line, LIMIT + 1, 1, now), None, "counted for another limit");
    }

    #[test]
    fn a_line_near_its_limit_is_counted_by_each_submission() {
        let (rooms, line, now) = (Rooms::default(), QueueName::default(), Instant::now());
        rooms.note(&line, LIMIT, LIMIT, QUICK, now);
        assert_eq!(rooms.take(&line, LIMIT, 5_903, now), Some(true));
        assert_eq!(rooms.take(&line, LIMIT, 1, now), Some(false));
    }

    #[test]
    fn a_count_that_took_long_is_good_for_longer() {
        let (rooms, line, now) = (Rooms::default(), QueueName::default(), Instant::now());
        rooms.note(&line, LIMIT, LIMIT, Duration::from_millis(10), now);
        assert_eq!(rooms.take(&line, LIMIT, 1, now + Duration::from_millis(399)), Some(true));
        rooms.note(&line, LIMIT, LIMIT, Duration::from_secs(1), now);
        assert_eq!(rooms.take(&line, LIMIT, 1, now + GOOD_AT_MOST), None);
    }
}
