//! In which order claims name the queues: as they were set, or by weights.
//!
//! By weights, queues take turns as the keys of a shared queue do in stores: start-time fair queueing (Goyal, Vin and Cheng,
//! SIGCOMM 1996), a job being the packet. A queue's next start is stamped with a virtual time, a claim names the queues by
//! their stamps, and each job that it brings moves its queue's stamp on. So jobs are counted and not claims, of which one may
//! bring hundreds. Every claim names every queue: what one does not use goes to the others.
//!
//! Stores do not say which queues are empty, but a claim takes from a queue only what those named before it have left room for.
//! So whoever was named before the last that gave something has no more to give. Such a queue is brought forward to that one's
//! stamp: nobody saves turns up, and nobody is punished for having used a process alone.

use windlass_core::QueueName;

use crate::settings::Settings;

/// What a start costs a queue of weight 1, in virtual time.
const COST: u64 = 1 << 20;

/// The queues of one process, as the next claim names them.
#[derive(Debug)]
pub(crate) struct Order {
    lanes: Vec<Lane>,
    /// Whether weights are set; the order stays as it is otherwise.
    weighted: bool,
}

#[derive(Debug)]
struct Lane {
    queue: QueueName,
    cost: u64,
    stamp: u64,
}

impl Order {
    pub(crate) fn of(settings: &Settings) -> Self {
        let weights = settings.queue_weights.as_ref();
        let weight =
            |queue| weights.and_then(|weights| weights.get(queue)).map_or(1, |weight| u64::from(*weight).max(1));
        let lanes =
            settings.queues.iter().map(|queue| Lane { queue: queue.clone(), cost: COST / weight(queue), stamp: 0 });
        Self { lanes: lanes.collect(), weighted: weights.is_some() }
    }

    pub(crate) fn queues(&self) -> Vec<QueueName> {
        self.lanes.iter().map(|lane| lane.queue.clone()).collect()
    }

    /// Notes of which queues the jobs are that a claim brought, which named the queues as `asked`; `all` where it had room for
    /// more than there was.
    pub(crate) fn took<'a>(&mut self, asked: &[QueueName], jobs: impl Iterator<Item = &'a QueueName>, all: bool) {
        if !self.weighted {
            return;
        }
        let mut last = None;
        for queue in jobs {
            last = last.max(asked.iter().position(|asked| asked == queue));
            if let Some(lane) = self.lane(queue) {
                lane.stamp = lane.stamp.saturating_add(lane.cost);
            }
        }
        let empty = if all { asked } else { &asked[..last.unwrap_or(0)] };
        let level = match last {
            Some(last) if !all => self.lane(&asked[last]).map_or(0, |lane| lane.stamp),
            _ => self.lanes.iter().map(|lane| lane.stamp).max().unwrap_or(0),
        };
        for queue in empty {
            if let Some(lane) = self.lane(queue) {
                lane.stamp = lane.stamp.max(level);
            }
        }
        self.sort();
    }

    /// Those with the same stamp stay as they were: whoever had nothing is named before whoever was served.
    fn sort(&mut self) {
        self.lanes.sort_by_key(|lane| lane.stamp);
        let first = self.lanes.first().map_or(0, |lane| lane.stamp);
        self.lanes.iter_mut().for_each(|lane| lane.stamp -= first);
    }

    /// A process serves few queues, so that looking through them is faster than hashing.
    fn lane(&mut self, queue: &QueueName) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.queue == *queue)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use super::*;

    fn name(text: &str) -> QueueName {
        QueueName::new(text).expect("valid")
    }

    /// A process and its store: how many jobs wait, and how many have started.
    struct World {
        order: Order,
        waiting: BTreeMap<QueueName, usize>,
        started: BTreeMap<QueueName, usize>,
        /// Claims under way: what they asked, and what they were given.
        under_way: VecDeque<(Vec<QueueName>, Vec<QueueName>, usize)>,
    }

    impl World {
        fn new(weights: Option<&[(&str, u32)]>, waiting: &[(&str, usize)]) -> Self {
            let weights = weights.map(|all| all.iter().map(|(queue, weight)| (name(queue), *weight)).collect());
            let queues = waiting.iter().map(|(queue, _)| name(queue)).collect();
            let settings = Settings { queues, queue_weights: weights, ..Settings::default() };
            let waiting = waiting.iter().map(|(queue, number)| (name(queue), *number)).collect();
            let order = Order::of(&settings);
            Self { order, waiting, started: BTreeMap::new(), under_way: VecDeque::new() }
        }

        /// The store answers as it promises to: the first queue's first.
        fn send(&mut self, limit: usize) {
            let asked = self.order.queues();
            let mut given = Vec::new();
            for queue in &asked {
                let waiting = self.waiting.entry(queue.clone()).or_default();
                let some = (*waiting).min(limit - given.len());
                *waiting -= some;
                given.extend((0..some).map(|_| queue.clone()));
            }
            self.under_way.push_back((asked, given, limit));
        }

        fn hear(&mut self) {
            let (asked, given, limit) = self.under_way.pop_front().expect("under way");
            given.iter().for_each(|queue| *self.started.entry(queue.clone()).or_default() += 1);
            self.order.took(&asked, given.iter(), given.len() < limit);
        }

        fn claim(&mut self, limit: usize) {
            self.send(limit);
            self.hear();
        }

        fn started(&self, queue: &str) -> usize {
            self.started.get(&name(queue)).copied().unwrap_or(0)
        }

        fn add(&mut self, queue: &str, number: usize) {
            *self.waiting.entry(name(queue)).or_default() += number;
        }
    }

    const MANY: usize = 1_000_000;

    #[test]
    fn starts_go_by_weight_whatever_claims_bring() {
        for (mail, reports) in [(1, 1), (3, 1), (1, 1_000)] {
            for limit in [1, 7, 500] {
                for ahead in [1, 2] {
                    let weights = [("mail", mail), ("reports", reports)];
                    let mut world = World::new(Some(&weights), &[("mail", MANY), ("reports", MANY)]);
                    (1..ahead).for_each(|_| world.send(limit));
                    let turns = 10_000 / limit;
                    (0..turns).for_each(|_| {
                        world.send(limit);
                        world.hear();
                    });
                    let (all, share) = (turns * limit, mail as f64 / (mail + reports) as f64);
                    let off = world.started("mail") as f64 - all as f64 * share;
                    assert!(off.abs() <= (limit * ahead) as f64, "{weights:?}, {limit} at once, {ahead}: {off}");
                }
            }
        }
    }

    #[test]
    fn without_weights_the_order_stays() {
        let mut world = World::new(None, &[("mail", MANY), ("reports", MANY)]);
        (0..100).for_each(|_| world.claim(10));
        assert_eq!((world.started("mail"), world.started("reports")), (1_000, 0));
    }

    #[test]
    fn queues_that_no_weight_names_weigh_one() {
        let mut world = World::new(Some(&[("mail", 3)]), &[("mail", MANY), ("reports", MANY)]);
        (0..400).for_each(|_| world.claim(1));
        assert!((299..=301).contains(&world.started("mail")), "{}", world.started("mail"));
    }

    #[test]
    fn what_an_empty_queue_does_not_use_goes_to_the_others_by_their_weights() {
        let weights = [("idle", 1_000), ("mail", 3), ("reports", 1)];
        let mut world = World::new(Some(&weights), &[("idle", 0), ("mail", MANY), ("reports", MANY)]);
        (0..400).for_each(|_| world.claim(10));
        assert!((2_980..=3_020).contains(&world.started("mail")), "{}", world.started("mail"));
        assert_eq!(world.started("mail") + world.started("reports"), 4_000);
    }

    #[test]
    fn nobody_saves_turns_up() {
        for trickle in [0, 1] {
            let mut world = World::new(Some(&[]), &[("mail", MANY), ("reports", 0)]);
            (0..1_000).for_each(|_| {
                world.add("reports", trickle);
                world.claim(10);
            });
            world.add("reports", MANY);
            let before = world.started("reports");
            (0..10).for_each(|_| world.claim(10));
            let of_reports = world.started("reports") - before;
            assert!((40..=60).contains(&of_reports), "{of_reports} after {trickle} a claim");
        }
    }

    #[test]
    fn whoever_was_alone_is_not_punished_for_it() {
        let mut world = World::new(Some(&[]), &[("mail", MANY), ("reports", 0)]);
        world.claim(100_000);
        world.claim(100_000);
        world.add("reports", MANY);
        (0..20).for_each(|_| world.claim(100));
        assert!((900..=1_100).contains(&world.started("reports")), "{}", world.started("reports"));
    }

    #[test]
    fn whoever_comes_late_is_served_at_once() {
        let mut world = World::new(Some(&[("mail", 1_000)]), &[("mail", MANY), ("reports", 0)]);
        (0..50).for_each(|_| world.claim(10));
        world.add("reports", 1);
        world.claim(10);
        assert_eq!(world.started("reports"), 1);
    }

    #[test]
    fn when_everything_was_taken_all_begin_anew() {
        let mut world = World::new(Some(&[]), &[("mail", 2_000), ("reports", 0)]);
        world.claim(2_000);
        world.add("reports", 5);
        world.claim(2_000);
        let before = world.started("mail");
        world.add("mail", MANY);
        world.add("reports", MANY);
        (0..10).for_each(|_| world.claim(10));
        let of_mail = world.started("mail") - before;
        assert!((40..=60).contains(&of_mail), "{of_mail}");
    }
}
