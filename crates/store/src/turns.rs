//! Whose turn it is in a shared queue, for a store that one process has to itself: start-time fair queueing (Goyal, Vin and
//! Cheng, SIGCOMM 1996), a job being the packet. A line's next start is stamped with a virtual time; the earliest goes; each start
//! moves the stamp on by what a start costs a line of its weight. A line that was empty begins at the stamp that is next, so
//! that nobody saves turns up and nobody is punished for having used an idle queue alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;
use windlass_core::{Key, QueueName};

/// What a start costs a line of weight 1, in virtual time.
const COST: u64 = 1 << 20;

/// The jobs that wait with this key; `None` for all that came back or have none, which take turns as one line.
pub type Line = Option<Key>;

/// The lines of all shared queues in which somebody waits. Every change can be taken back until [`commit`](Turns::commit).
#[derive(Debug, Default)]
pub struct Turns {
    queues: BTreeMap<QueueName, Stamps>,
    /// What each stamp was before, since the last commit.
    before: Vec<(QueueName, Line, Option<u64>)>,
}

/// The stamps of one queue's lines, in both directions.
#[derive(Debug, Default)]
struct Stamps {
    order: BTreeSet<(u64, Line)>,
    of: HashMap<Line, u64, RandomState>,
}

impl Stamps {
    fn set(&mut self, line: &Line, stamp: Option<u64>) -> Option<u64> {
        let before = match stamp {
            Some(stamp) => self.of.insert(line.clone(), stamp),
            None => self.of.remove(line),
        };
        if let Some(before) = before {
            self.order.remove(&(before, line.clone()));
        }
        if let Some(stamp) = stamp {
            self.order.insert((stamp, line.clone()));
        }
        before
    }
}

impl Turns {
    /// Whether nobody waits for a turn.
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Whether somebody waits for a turn in a queue.
    pub fn any(&self, queue: &QueueName) -> bool {
        self.queues.contains_key(queue)
    }

    /// Somebody waits in a line; it takes part from now on, if it did not.
    pub fn join(&mut self, queue: &QueueName, line: &Line) {
        let stamps = self.queues.get(queue);
        if stamps.is_some_and(|stamps| stamps.of.contains_key(line)) {
            return;
        }
        let next = stamps.and_then(|stamps| stamps.order.first()).map_or(0, |(stamp, _)| *stamp);
        self.set(queue, line, Some(next));
    }

    /// Nobody waits in a line any more.
    pub fn leave(&mut self, queue: &QueueName, line: &Line) {
        self.set(queue, line, None);
    }

    /// Whose turn it is, and how many may go before it is another's, if they weigh `weight`.
    pub fn next(&self, queue: &QueueName, weight: impl Fn(&Line) -> u32) -> Option<(Line, u64)> {
        let mut first = self.queues.get(queue)?.order.iter();
        let (stamp, line) = first.next()?;
        let number = first.next().map_or(u64::MAX, |(other, _)| (other - stamp).div_ceil(cost(weight(line))).max(1));
        Some((line.clone(), number))
    }

    /// So many of a line went.
    pub fn took(&mut self, queue: &QueueName, line: &Line, number: u64, weight: u32) {
        let stamp = self.queues.get(queue).and_then(|stamps| stamps.of.get(line)).copied();
        if let Some(stamp) = stamp {
            self.set(queue, line, Some(stamp.saturating_add(number.saturating_mul(cost(weight)))));
        }
    }

    fn set(&mut self, queue: &QueueName, line: &Line, stamp: Option<u64>) {
        let stamps = self.queues.entry(queue.clone()).or_default();
        let before = stamps.set(line, stamp);
        if stamps.order.is_empty() {
            self.queues.remove(queue);
        }
        self.before.push((queue.clone(), line.clone(), before));
    }

    /// Keeps what was changed since the last commit.
    pub fn commit(&mut self) {
        self.before.clear();
    }

    /// Takes back what was changed since the last commit.
    pub fn rollback(&mut self) {
        while let Some((queue, line, before)) = self.before.pop() {
            self.set(&queue, &line, before);
            self.before.pop();
        }
    }
}

fn cost(weight: u32) -> u64 {
    COST / u64::from(weight.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &str) -> Line {
        Some(Key::new("tenant", value).expect("valid"))
    }

    /// Who goes in a queue in which `waiting` never end, one at a time.
    fn starts(turns: &mut Turns, number: usize, weight: impl Fn(&Line) -> u32) -> Vec<Line> {
        let queue = QueueName::default();
        let mut went = Vec::new();
        while went.len() < number {
            let (line, most) = turns.next(&queue, &weight).expect("somebody waits");
            let some = most.min(3).min((number - went.len()) as u64);
            turns.took(&queue, &line, some, weight(&line));
            went.extend((0..some).map(|_| line.clone()));
        }
        went
    }

    #[test]
    fn lines_take_turns() {
        let (mut turns, queue) = (Turns::default(), QueueName::default());
        turns.join(&queue, &line("a"));
        assert_eq!(turns.next(&queue, |_| 1), Some((line("a"), u64::MAX)), "nobody else waits");
        turns.join(&queue, &line("b"));
        let went = starts(&mut turns, 6, |_| 1);
        let of_a = went.iter().filter(|went| **went == line("a")).count();
        assert_eq!(of_a, 3, "{went:?}");
    }

    #[test]
    fn a_weight_is_so_many_turns_for_one() {
        let (mut turns, queue) = (Turns::default(), QueueName::default());
        ["a", "b"].iter().for_each(|value| turns.join(&queue, &line(value)));
        let went = starts(&mut turns, 400, |its| if *its == line("a") { 3 } else { 1 });
        let of_a = went.iter().filter(|went| **went == line("a")).count();
        assert!((299..=301).contains(&of_a), "{of_a}");
    }

    #[test]
    fn whoever_comes_late_is_next_and_has_saved_nothing_up() {
        let (mut turns, queue) = (Turns::default(), QueueName::default());
        turns.join(&queue, &line("b"));
        turns.took(&queue, &line("b"), 1_000, 1);
        turns.join(&queue, &line("c"));
        let went = starts(&mut turns, 10, |_| 1);
        assert!(went[..2].contains(&line("c")), "{went:?}");
        let of_c = went.iter().filter(|went| **went == line("c")).count();
        assert_eq!(of_c, 5, "{went:?}");
    }

    #[test]
    fn a_rollback_takes_everything_back() {
        let (mut turns, queue) = (Turns::default(), QueueName::default());
        turns.join(&queue, &line("a"));
        turns.took(&queue, &line("a"), 5, 1);
        turns.commit();
        let before = turns.next(&queue, |_| 1);
        turns.join(&queue, &line("b"));
        turns.leave(&queue, &line("a"));
        turns.rollback();
        assert_eq!(turns.next(&queue, |_| 1), before);
        turns.leave(&queue, &line("a"));
        assert!(turns.is_empty() && !turns.any(&queue));
        turns.rollback();
        assert!(turns.any(&queue));
    }
}
