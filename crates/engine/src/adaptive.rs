//! How many attempts may run at the same time, found out from how they fare, between a floor and a ceiling.
//!
//! More of them get more done until whatever they work with is busy; from then on they only wait for each other, and far
//! above that they fail. So the limit grows while attempts take no longer than they do in calm, and shrinks as they take
//! longer or fail more: a gradient, as in Netflix's *concurrency-limits* and Envoy's adaptive concurrency filter. What
//! "in calm" is, is measured again and again, with the limit at half for one round.
//!
//! There is no clock in here. A round is as many attempts as may run at the same time, and only those count that began
//! in it: what began before ran beside more of them, or fewer. docs/adaptive.md has the figures.

use std::time::Duration;

use windlass_core::JobName;

use crate::evidence::{Ending, Evidence};

/// A round has so many attempts at least, or chance would decide.
const ROUND_MIN: usize = 24;
/// So many are enough where too many of them fail, and while the limit climbs.
const FEW: usize = 8;
/// How many times as long as in calm attempts may take before the limit shrinks.
const TOLERANCE: f64 = 1.3;
/// The share of attempts that may fail beyond those that fail in calm.
const FAILURES_ALLOWED: f64 = 0.1;
/// The limit never shrinks to less than this in one round.
const SHRINK_MAX: f64 = 0.5;
/// From this share of the limit at which too many failed, steps are small.
const NEAR: f64 = 0.6;
/// By how much that limit rises with each calm, because what was too much may be no longer.
const FORGET: f64 = 1.25;
/// Rounds from one calm to the next.
const CALM_EVERY: u32 = 32;

/// The round that an attempt began in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round(u64);

/// What the present round is for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// Doubling, until there is a first sign of too much.
    Climbing,
    Following,
    /// Measuring calm, before the limit is what it was.
    Calm {
        limit: f64,
    },
}

/// The controller.
#[derive(Debug)]
pub(crate) struct Adaptive {
    floor: f64,
    ceiling: f64,
    limit: f64,
    stage: Stage,
    round: Round,
    running: usize,
    /// Whether the limit was ever reached in this round. If not, nobody knows whether it could be higher.
    filled: bool,
    rounds_since_calm: u32,
    /// The highest limit since calm was measured.
    highest: f64,
    /// The limit at which too many failed last, until it has been passed without. Near it steps are small: where others
    /// use the same upstream, failures tell of too much before times do.
    failed_at: f64,
    evidence: Evidence,
}

impl Adaptive {
    /// Begins at the floor, which is one at least.
    pub(crate) fn between(floor: usize, ceiling: usize) -> Self {
        let floor = floor.max(1) as f64;
        Self {
            floor,
            ceiling: floor.max(ceiling as f64),
            limit: floor,
            stage: Stage::Climbing,
            round: Round(0),
            running: 0,
            filled: false,
            rounds_since_calm: 0,
            highest: floor,
            failed_at: f64::INFINITY,
            evidence: Evidence::default(),
        }
    }

    /// How many attempts may run now.
    pub(crate) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Notes that an attempt begins.
    pub(crate) fn begin(&mut self) -> Round {
        self.running += 1;
        self.filled |= self.running >= self.limit();
        self.round
    }

    /// Notes that an attempt of `job` ends, which began in `round`.
    pub(crate) fn end(&mut self, round: Round, job: &JobName, took: Duration, ending: Ending) {
        self.running = self.running.saturating_sub(1);
        if round != self.round {
            return;
        }
        self.evidence.note(job, took, ending);
        if self.is_over(ending) {
            self.judge();
        }
    }

    /// While most of them fail, there is no time to lose, and while little is known, little to be sure of.
    fn is_over(&self, ending: Ending) -> bool {
        let least = if self.stage == Stage::Climbing { FEW } else { ROUND_MIN };
        let enough = self.evidence.count() >= self.limit().max(least);
        enough || ending == Ending::Ill && self.evidence.count() >= FEW && self.failing() < 1.0
    }

    /// Ends the round and says how the next one is.
    fn judge(&mut self) {
        let before = self.limit();
        let next = match self.stage {
            Stage::Calm { limit } => self.after_calm(limit),
            Stage::Climbing | Stage::Following => self.follow(),
        };
        self.limit = next.clamp(self.floor, self.ceiling);
        self.highest = self.highest.max(self.limit);
        self.evidence.turn_over();
        self.filled = false;
        if self.limit() != before {
            self.round = Round(self.round.0 + 1);
        }
    }

    /// Back to where the limit was, unless even half of it was too much.
    fn after_calm(&mut self, former: f64) -> f64 {
        let failing = self.failing();
        self.learn();
        self.stage = Stage::Following;
        if failing < 1.0 { self.limit * failing } else { former }
    }

    fn follow(&mut self) -> f64 {
        let next = self.gradient();
        self.rounds_since_calm += 1;
        if self.is_calm() {
            self.learn();
        } else if self.rounds_since_calm >= CALM_EVERY && self.filled {
            self.stage = Stage::Calm { limit: next };
            return next * SHRINK_MAX;
        }
        next
    }

    /// Whether this round says by itself what calm is: there was no sign of too much yet, or it was at the floor, or it
    /// fared better than calm, or it was at half of what has been, so that attempts that still take as long do so for
    /// another reason than each other.
    fn is_calm(&self) -> bool {
        let climbing = self.stage == Stage::Climbing;
        let low = self.limit <= self.floor || self.limit <= self.highest * SHRINK_MAX;
        climbing || low || self.evidence.is_better_than_calm()
    }

    fn gradient(&mut self) -> f64 {
        let (slowed, failing) = (TOLERANCE / self.slowness(), self.failing());
        if slowed < 1.0 || failing < 1.0 {
            self.stage = Stage::Following;
        }
        if failing < 1.0 {
            self.failed_at = self.limit;
        } else if self.limit > self.failed_at {
            self.failed_at = f64::INFINITY;
        }
        let shrunk = self.limit * slowed.min(failing).clamp(SHRINK_MAX, 1.0);
        if failing < 1.0 && shrunk <= self.floor {
            // From an outage it is a long way back in small steps.
            self.stage = Stage::Climbing;
        }
        if failing < 1.0 || !self.filled { shrunk } else { shrunk + self.step() }
    }

    /// Little is known of calm while climbing, and chance must not end that.
    fn slowness(&self) -> f64 {
        match self.stage {
            Stage::Climbing => self.evidence.sure_slowness(),
            _ => self.evidence.slowness(),
        }
    }

    /// What the limit is multiplied with because attempts fail; one where they do not.
    fn failing(&self) -> f64 {
        let excess = self.evidence.excess_of_failures();
        if excess > FAILURES_ALLOWED { (1.0 - excess).max(SHRINK_MAX) } else { 1.0 }
    }

    /// How much more is tried. The square root is a queue that is short against the limit, where that is large, and long
    /// enough to keep what is behind it busy, where it is small.
    fn step(&self) -> f64 {
        match self.stage {
            Stage::Climbing => self.limit,
            _ if self.limit > NEAR * self.failed_at => (self.limit / 32.0).max(0.25),
            _ => self.limit.sqrt().min((self.limit / 4.0).max(1.0)),
        }
    }

    fn learn(&mut self) {
        self.evidence.learn();
        self.rounds_since_calm = 0;
        self.failed_at *= FORGET;
        self.highest = self.limit;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn job() -> JobName {
        JobName::new("Call").expect("valid")
    }

    /// Runs `count` attempts, as many at the same time as may, each as long as `took` says of how many that are.
    fn run(adaptive: &mut Adaptive, count: usize, took: impl Fn(usize) -> Duration, ending: Ending) {
        run_with(adaptive, count, |running| (took(running), ending));
    }

    fn run_with(adaptive: &mut Adaptive, count: usize, mut fares: impl FnMut(usize) -> (Duration, Ending)) {
        let mut begun = std::collections::VecDeque::new();
        for _ in 0..count {
            while begun.len() < adaptive.limit() {
                begun.push_back(adaptive.begin());
            }
            let (running, round) = (begun.len(), begun.pop_front().expect("one runs"));
            let (took, ending) = fares(running);
            adaptive.end(round, &job(), took, ending);
        }
        begun.into_iter().for_each(|round| adaptive.end(round, &job(), Duration::ZERO, Ending::Neither));
    }

    /// An upstream that works on `capacity` at a time.
    fn busy_above(capacity: usize) -> impl Fn(usize) -> Duration {
        move |running| Duration::from_millis((100 * running.max(capacity) / capacity) as u64)
    }

    #[test]
    fn it_begins_at_the_floor_and_climbs_while_nothing_slows_down() {
        let mut adaptive = Adaptive::between(2, 64);
        assert_eq!(adaptive.limit(), 2);
        run(&mut adaptive, 1_000, |_| Duration::from_millis(5), Ending::Well);
        assert_eq!(adaptive.limit(), 64);
    }

    #[test]
    fn it_stays_a_little_above_what_the_upstream_works_on() {
        let mut adaptive = Adaptive::between(1, 1_000);
        run(&mut adaptive, 20_000, busy_above(40), Ending::Well);
        assert!((40..=80).contains(&adaptive.limit()), "{}", adaptive.limit());
        run(&mut adaptive, 20_000, busy_above(20), Ending::Well);
        assert!((20..=40).contains(&adaptive.limit()), "{}", adaptive.limit());
        run(&mut adaptive, 20_000, busy_above(40), Ending::Well);
        assert!((40..=80).contains(&adaptive.limit()), "{}", adaptive.limit());
    }

    /// The time a request takes by itself may change as well, and fewer at the same time would not mend that.
    #[test]
    fn attempts_that_all_take_longer_now_lower_it_for_a_while_only() {
        let mut adaptive = Adaptive::between(1, 64);
        run(&mut adaptive, 2_000, |_| Duration::from_millis(5), Ending::Well);
        run(&mut adaptive, 5_000, |_| Duration::from_millis(50), Ending::Well);
        assert_eq!(adaptive.limit(), 64);
    }

    /// Whoever refuses at once does not slow down first.
    #[test]
    fn it_stays_near_what_is_not_refused() {
        let (mut adaptive, mut refused) = (Adaptive::between(1, 1_000), 0);
        run_with(&mut adaptive, 20_000, |running| {
            let ending = if running > 40 { Ending::Ill } else { Ending::Well };
            refused += u32::from(ending == Ending::Ill);
            (Duration::from_millis(5), ending)
        });
        assert!((20..=50).contains(&adaptive.limit()), "{}", adaptive.limit());
        assert!(refused < 2_000, "{refused}");
        run(&mut adaptive, 20_000, |_| Duration::from_millis(5), Ending::Well);
        assert!(adaptive.limit() > 500, "nothing is refused any more: {}", adaptive.limit());
    }

    #[test]
    fn it_comes_back_from_an_outage() {
        let mut adaptive = Adaptive::between(1, 64);
        run(&mut adaptive, 2_000, |_| Duration::from_millis(5), Ending::Well);
        run(&mut adaptive, 2_000, |_| Duration::from_millis(1), Ending::Ill);
        assert_eq!(adaptive.limit(), 1);
        run(&mut adaptive, 2_000, |_| Duration::from_millis(5), Ending::Well);
        assert_eq!(adaptive.limit(), 64);
    }

    #[test]
    fn it_does_not_grow_where_nobody_needs_more() {
        let mut adaptive = Adaptive::between(4, 64);
        for _ in 0..1_000 {
            let round = adaptive.begin();
            adaptive.end(round, &job(), Duration::from_millis(5), Ending::Well);
        }
        assert_eq!(adaptive.limit(), 4);
    }

    #[test]
    fn what_began_in_an_earlier_round_is_no_evidence() {
        let mut adaptive = Adaptive::between(1, 64);
        let before = adaptive.begin();
        run(&mut adaptive, FEW, |_| Duration::from_millis(5), Ending::Well);
        let limit = adaptive.limit();
        for _ in 0..100 {
            adaptive.end(before, &job(), Duration::from_secs(9), Ending::Ill);
        }
        assert_eq!(adaptive.limit(), limit);
    }

    proptest! {
        #[test]
        fn whatever_happens_it_is_between_floor_and_ceiling(
            floor in 0_usize..9,
            above in 0_usize..100,
            told in proptest::collection::vec((any::<bool>(), 0_u64..u64::MAX, 0_u8..3), 0..2_000),
        ) {
            let (mut adaptive, mut begun) = (Adaptive::between(floor, floor + above), Vec::new());
            for (begins, nanos, ending) in told {
                if begins && begun.len() < adaptive.limit() {
                    begun.push(adaptive.begin());
                } else if let Some(round) = begun.pop() {
                    let ending = [Ending::Well, Ending::Ill, Ending::Neither][usize::from(ending)];
                    adaptive.end(round, &job(), Duration::from_nanos(nanos), ending);
                }
                prop_assert!((floor.max(1)..=floor.max(1).max(floor + above)).contains(&adaptive.limit()));
            }
        }

        /// From whatever it has gone through.
        #[test]
        fn it_recovers(told in proptest::collection::vec((1_usize..200, 1_u64..1_000, any::<bool>()), 0..20)) {
            let mut adaptive = Adaptive::between(1, 32);
            for (count, millis, well) in told {
                let ending = if well { Ending::Well } else { Ending::Ill };
                run(&mut adaptive, count, |_| Duration::from_millis(millis), ending);
            }
            run(&mut adaptive, 10_000, |_| Duration::from_millis(5), Ending::Well);
            prop_assert!(adaptive.limit() >= 16, "{}", adaptive.limit());
        }
    }
}
