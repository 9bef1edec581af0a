//! Whether jobs of one handler start at all, as one process sees it. While what the handler works with is down, each attempt
//! only costs time and a retry: the fuse opens, nobody starts for a pause, then a few probe whether it is back.
//!
//! There is no clock in here: whoever asks says what time it is, by the store's clock.

use std::collections::VecDeque;
use std::time::Duration;

use windlass_core::Timestamp;

use crate::breaker::Breaker;
use crate::evidence::Ending;

/// Parts of the window. What is older than the window by a part or less may still count.
const PARTS: u32 = 10;
/// More attempts than these are not looked back on, or the many that succeeded before an outage would hide it. With fewer,
/// chance would open it where it is usual that some fail.
const LATEST: u32 = 200;

/// What an attempt began as. Those from before the fuse opened, or from an earlier probing, tell nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    era: u64,
    number: u64,
}

/// What is to be told to others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum News {
    /// So many of so many attempts failed.
    Opened {
        failed: u32,
        attempts: u32,
    },
    /// All probes are out; others had better wait for what they say, for a pause at least.
    Probed,
    Closed,
}

/// Whether an attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Passes(Pass),
    /// It had better be asked again in so long.
    Waits(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Closed,
    Open {
        until: Timestamp,
    },
    Probing {
        succeeded: u32,
        /// Until when others wait for what the probes say.
        told_until: Option<Timestamp>,
    },
}

impl State {
    const PROBING: Self = Self::Probing { succeeded: 0, told_until: None };
}

/// Attempts of one part of the window.
#[derive(Clone, Copy, Debug)]
struct Part {
    began: Timestamp,
    attempts: u32,
    failed: u32,
}

/// An attempt that probes.
#[derive(Clone, Copy, Debug)]
struct Probe {
    number: u64,
    /// When it has run for longer than it may, and its handler does not let go.
    over: Timestamp,
}

/// One handler's.
#[derive(Debug)]
pub(crate) struct Fuse {
    rules: Breaker,
    state: State,
    /// Changes with each state.
    era: u64,
    /// Since when it has not been closed.
    since: Option<Timestamp>,
    pause: Duration,
    probes: Vec<Probe>,
    begun: u64,
    parts: VecDeque<Part>,
}

impl Fuse {
    pub(crate) fn new(rules: Breaker) -> Self {
        let (pause, state) = (rules.pause, State::Closed);
        Self { rules, state, era: 0, since: None, pause, probes: Vec::new(), begun: 0, parts: VecDeque::new() }
    }

    pub(crate) fn rules(&self) -> &Breaker {
        &self.rules
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Which state of all those it has been in this is.
    pub(crate) fn era(&self) -> u64 {
        self.era
    }

    /// How long nobody starts, once it has opened.
    pub(crate) fn pause(&self) -> Duration {
        self.pause
    }

    /// Begins an attempt that may take `limit`, if there is room.
    pub(crate) fn begin(&mut self, now: Timestamp, limit: Duration) -> (Entry, Option<News>) {
        let opened = self.look_at(now);
        match self.state {
            State::Closed => (Entry::Passes(self.pass()), None),
            State::Open { until } => (Entry::Waits(now.until(until)), opened),
            State::Probing { .. } if self.room() == 0 => (Entry::Waits(self.rules.pause), self.tell_of_probes(now)),
            State::Probing { .. } => {
                self.since.get_or_insert(now);
                let pass = self.pass();
                self.probes.push(Probe { number: pass.number, over: now.after(limit) });
                (Entry::Passes(pass), self.tell_of_probes(now))
            }
        }
    }

    /// Notes how an attempt ended.
    pub(crate) fn end(&mut self, pass: Pass, ending: Ending, now: Timestamp) -> Option<News> {
        if pass.era != self.era {
            return None;
        }
        match self.state {
            State::Closed => self.count(ending, now),
            State::Open { .. } => None,
            State::Probing { succeeded, told_until } => {
                self.probes.retain(|probe| probe.number != pass.number);
                self.probed(succeeded, told_until, ending, now)
            }
        }
    }

    /// Others say whether it is open. Those who opened it hold the jobs back, so it is enough to probe.
    pub(crate) fn learn(&mut self, open: bool) {
        match (self.state, open) {
            (State::Closed, true) => self.change(State::PROBING),
            (State::Open { .. } | State::Probing { .. }, false) => self.close(),
            _ => {}
        }
    }

    /// What changes by the passing of time alone.
    fn look_at(&mut self, now: Timestamp) -> Option<News> {
        match self.state {
            // A store that came back with its clock far behind must not keep it open.
            State::Open { until } if now >= until || now.after(self.rules.max_pause) < until => {
                self.change(State::PROBING);
                None
            }
            State::Probing { .. } => {
                let stuck = self.probes.iter().filter(|probe| probe.over <= now).count() as u32;
                (stuck > 0).then(|| self.open(now, stuck, stuck))
            }
            _ => None,
        }
    }

    /// Those who come while all probes are out would come again and again.
    fn tell_of_probes(&mut self, now: Timestamp) -> Option<News> {
        let out = self.room() == 0;
        let State::Probing { told_until, .. } = &mut self.state else { return None };
        let tells = out && told_until.is_none_or(|until| now >= until);
        tells.then(|| {
            *told_until = Some(now.after(self.rules.pause));
            News::Probed
        })
    }

    fn room(&self) -> usize {
        match self.state {
            State::Closed => usize::MAX,
            State::Open { .. } => 0,
            State::Probing { succeeded, .. } => {
                (self.rules.probes as usize).saturating_sub(succeeded as usize + self.probes.len())
            }
        }
    }

    fn pass(&mut self) -> Pass {
        self.begun += 1;
        Pass { era: self.era, number: self.begun }
    }

    fn count(&mut self, ending: Ending, now: Timestamp) -> Option<News> {
        if ending == Ending::Neither {
            return None;
        }
        let part = self.part(now);
        part.attempts += 1;
        part.failed += u32::from(ending == Ending::Ill);
        let sum = |of: fn(&Part) -> u32| self.parts.iter().map(of).sum::<u32>();
        let (attempts, failed) = (sum(|part| part.attempts), sum(|part| part.failed));
        let enough = attempts >= self.rules.min_attempts;
        let ill = f64::from(failed) >= self.rules.failure_rate * f64::from(attempts);
        (enough && ill).then(|| self.open(now, failed, attempts))
    }

    /// The part that `now` is in, without those that are too old, or that a clock which was set back left far in the future.
    /// Attempts do not end in the order of what is said about when.
    fn part(&mut self, now: Timestamp) -> &mut Part {
        let Breaker { window, .. } = self.rules;
        let latest = LATEST.max(self.rules.min_attempts);
        self.parts.retain(|part| part.began.until(now) < window && now.until(part.began) < window);
        let count: u32 = self.parts.iter().map(|part| part.attempts).sum();
        if self.parts.front().is_some_and(|oldest| count - oldest.attempts >= latest) {
            self.parts.pop_front();
        }
        let is_over = |part: &Part| part.began.until(now) >= window / PARTS || part.attempts >= latest.div_ceil(PARTS);
        if self.parts.back().is_none_or(is_over) {
            self.parts.push_back(Part { began: now, attempts: 0, failed: 0 });
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }

    /// One failed probe is enough to wait again; a probe that says nothing is made again.
    fn probed(
        &mut self,
        succeeded: u32,
        told_until: Option<Timestamp>,
        ending: Ending,
        now: Timestamp,
    ) -> Option<News> {
        if ending == Ending::Ill {
            return Some(self.open(now, 1, succeeded + 1));
        }
        let succeeded = succeeded + u32::from(ending == Ending::Well);
        self.state = State::Probing { succeeded, told_until };
        (succeeded >= self.rules.probes).then(|| {
            self.close();
            News::Closed
        })
    }

    /// The pause is as long as it has been open already, and one more: pauses double. Who has seen only a part of them comes
    /// to about the same.
    fn open(&mut self, now: Timestamp, failed: u32, attempts: u32) -> News {
        let since = *self.since.get_or_insert(now);
        self.pause = since.until(now).saturating_add(self.rules.pause).min(self.rules.max_pause);
        self.change(State::Open { until: now.after(self.pause) });
        News::Opened { failed, attempts }
    }

    fn close(&mut self) {
        self.since = None;
        self.change(State::Closed);
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.era += 1;
        self.parts.clear();
        self.probes.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    /// The limit of an attempt.
    const LONG: Duration = Duration::from_secs(3_600);

    fn fuse() -> (Fuse, Timestamp) {
        (Fuse::new(Breaker::default()), Timestamp::from_millis(1_795_348_800_000))
    }

    fn begin(fuse: &mut Fuse, now: Timestamp) -> Option<Pass> {
        match fuse.begin(now, LONG).0 {
            Entry::Passes(pass) => Some(pass),
            Entry::Waits(_) => None,
        }
    }

    fn attempt(fuse: &mut Fuse, ending: Ending, now: Timestamp) -> bool {
        let pass = begin(fuse, now);
        pass.into_iter().for_each(|pass| {
            fuse.end(pass, ending, now);
        });
        pass.is_some()
    }

    /// How many of them began.
    fn attempts(fuse: &mut Fuse, count: u32, ending: Ending, now: Timestamp) -> u32 {
        (0..count).filter(|_| attempt(fuse, ending, now)).count() as u32
    }

    fn until(fuse: &Fuse) -> Option<Timestamp> {
        match fuse.state {
            State::Open { until } => Some(until),
            _ => None,
        }
    }

    #[test]
    fn it_opens_when_half_of_enough_attempts_fail() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 10, Ending::Well, now);
        attempts(&mut fuse, 9, Ending::Ill, now);
        assert_eq!(fuse.state, State::Closed);
        let last = begin(&mut fuse, now).expect("closed");
        assert_eq!(fuse.end(last, Ending::Ill, now), Some(News::Opened { failed: 10, attempts: 20 }));
        assert_eq!(until(&fuse), Some(now.after(5 * SECOND)));
        assert_eq!(fuse.begin(now.after(SECOND), LONG), (Entry::Waits(4 * SECOND), None));
    }

    #[test]
    fn few_failures_and_what_says_nothing_do_not_open_it() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 19, Ending::Ill, now);
        attempts(&mut fuse, 100, Ending::Neither, now);
        assert_eq!(fuse.state, State::Closed);
    }

    #[test]
    fn many_that_succeeded_before_do_not_hide_an_outage() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 100_000, Ending::Well, now);
        let failed = attempts(&mut fuse, 100_000, Ending::Ill, now);
        assert!((90..=120).contains(&failed), "{failed}");
    }

    #[test]
    fn chance_does_not_open_it() {
        let (mut fuse, now) = fuse();
        fastrand::seed(7);
        for _ in 0..100_000 {
            attempts(&mut fuse, 1, if fastrand::f64() < 0.3 { Ending::Ill } else { Ending::Well }, now);
        }
        assert_eq!(fuse.state, State::Closed);
    }

    #[test]
    fn ends_may_be_told_of_out_of_order() {
        let (mut fuse, now) = fuse();
        (0..20).for_each(|_| {
            attempts(&mut fuse, 1, Ending::Ill, now);
            attempts(&mut fuse, 1, Ending::Ill, now.before(SECOND));
        });
        assert!(until(&fuse).is_some());
    }

    #[test]
    fn what_failed_before_the_window_is_forgotten() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 19, Ending::Ill, now);
        attempts(&mut fuse, 19, Ending::Ill, now.after(30 * SECOND));
        assert_eq!(fuse.state, State::Closed);
        attempts(&mut fuse, 1, Ending::Ill, now.after(59 * SECOND));
        assert!(until(&fuse).is_some(), "these twenty are within one window");
    }

    #[test]
    fn after_the_pause_a_few_probe_and_close_it() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 20, Ending::Ill, now);
        let later = now.after(5 * SECOND);
        let mut news = Vec::new();
        let passes: Vec<_> = (0..9)
            .filter_map(|_| match fuse.begin(later, LONG) {
                (Entry::Passes(pass), told) => {
                    news.push(told);
                    Some(pass)
                }
                (Entry::Waits(span), told) => {
                    assert_eq!((span, told), (5 * SECOND, None));
                    None
                }
            })
            .collect();
        assert_eq!(news, [None, None, Some(News::Probed)]);
        assert_eq!(fuse.begin(later.after(5 * SECOND), LONG), (Entry::Waits(5 * SECOND), Some(News::Probed)), "again");
        let told: Vec<_> = passes.into_iter().map(|pass| fuse.end(pass, Ending::Well, later)).collect();
        assert_eq!(told, [None, None, Some(News::Closed)]);
        attempts(&mut fuse, 19, Ending::Ill, later);
        assert_eq!(fuse.state, State::Closed, "what was before does not count");
    }

    #[test]
    fn a_failed_probe_doubles_the_pause_up_to_its_bound() {
        let (mut fuse, mut now) = fuse();
        attempts(&mut fuse, 20, Ending::Ill, now);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let until = until(&fuse).expect("open");
            pauses.push(now.until(until).as_secs());
            now = until;
            assert!(attempt(&mut fuse, Ending::Ill, now));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        now = until(&fuse).expect("open");
        attempts(&mut fuse, 3, Ending::Well, now);
        attempts(&mut fuse, 20, Ending::Ill, now);
        assert_eq!(until(&fuse), Some(now.after(5 * SECOND)), "it was well in between");
    }

    #[test]
    fn successes_must_be_in_a_row() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 20, Ending::Ill, now);
        let later = now.after(5 * SECOND);
        attempts(&mut fuse, 2, Ending::Well, later);
        attempts(&mut fuse, 1, Ending::Ill, later);
        assert_eq!(until(&fuse), Some(later.after(10 * SECOND)));
    }

    #[test]
    fn a_probe_that_says_nothing_is_made_again() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 20, Ending::Ill, now);
        assert_eq!(attempts(&mut fuse, 50, Ending::Neither, now.after(5 * SECOND)), 50);
        assert_eq!(fuse.state, State::PROBING);
    }

    #[test]
    fn a_probe_that_never_ends_has_failed() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 20, Ending::Ill, now);
        let later = now.after(5 * SECOND);
        let stuck = [begin(&mut fuse, later), begin(&mut fuse, later), begin(&mut fuse, later)];
        assert!(stuck.iter().all(Option::is_some) && begin(&mut fuse, later.after(LONG / 2)).is_none());
        let (entry, news) = fuse.begin(later.after(LONG), LONG);
        assert!(matches!(entry, Entry::Waits(_)));
        assert_eq!(news, Some(News::Opened { failed: 3, attempts: 3 }));
        assert_eq!(fuse.end(stuck[0].expect("begun"), Ending::Well, later.after(LONG)), None, "it comes too late");
    }

    #[test]
    fn attempts_from_before_it_opened_tell_nothing_new() {
        let (mut fuse, now) = fuse();
        let before: Vec<_> = (0..9).filter_map(|_| begin(&mut fuse, now)).collect();
        attempts(&mut fuse, 20, Ending::Ill, now);
        let later = now.after(5 * SECOND);
        assert!(attempt(&mut fuse, Ending::Neither, later));
        for pass in before {
            assert_eq!(fuse.end(pass, Ending::Ill, later), None);
        }
        assert_eq!(fuse.state, State::PROBING);
    }

    #[test]
    fn what_others_know_opens_and_closes_it() {
        let (mut fuse, now) = fuse();
        fuse.learn(true);
        let probes =
            attempts(&mut fuse, 2, Ending::Neither, now) + (0..9).filter_map(|_| begin(&mut fuse, now)).count() as u32;
        assert_eq!(probes, 2 + 3, "it probes");
        fuse.learn(true);
        assert!(begin(&mut fuse, now).is_none(), "nothing new");
        fuse.learn(false);
        assert_eq!(fuse.state, State::Closed);
        attempts(&mut fuse, 20, Ending::Ill, now);
        assert!(until(&fuse).is_some());
        fuse.learn(false);
        assert_eq!(fuse.state, State::Closed);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open() {
        let (mut fuse, now) = fuse();
        attempts(&mut fuse, 20, Ending::Ill, now);
        assert!(attempt(&mut fuse, Ending::Well, now.before(LONG)));
        fuse.learn(false);
        attempts(&mut fuse, 19, Ending::Ill, now);
        attempts(&mut fuse, 1, Ending::Ill, now.before(LONG));
        assert_eq!(fuse.state, State::Closed, "the nineteen have not been yet");
    }

    proptest! {
        /// Never more probes at the same time than allowed, never a fuse that stays open for good.
        #[test]
        fn whatever_happens_it_probes_within_bounds_and_closes_when_all_is_well(
            told in proptest::collection::vec((0_u64..20, any::<bool>(), 0_u8..3, 0_u8..9), 0..400),
        ) {
            let (mut fuse, mut now) = fuse();
            let mut begun = VecDeque::new();
            for (seconds, begins, ending, learns) in told {
                now = now.after(SECOND * seconds as u32);
                if learns < 2 {
                    fuse.learn(learns == 1);
                } else if begins {
                    begun.extend(begin(&mut fuse, now));
                } else if let Some(pass) = begun.pop_front() {
                    fuse.end(pass, [Ending::Well, Ending::Ill, Ending::Neither][usize::from(ending)], now);
                }
                if let State::Probing { succeeded, .. } = fuse.state {
                    prop_assert!(fuse.probes.len() + succeeded as usize <= fuse.rules.probes as usize);
                }
                prop_assert!(until(&fuse).is_none_or(|until| until <= now.after(fuse.rules.max_pause)));
                prop_assert!(fuse.parts.len() <= 2 * PARTS as usize + 2);
            }
            begun.into_iter().for_each(|pass| {
                fuse.end(pass, Ending::Neither, now);
            });
            now = now.after(fuse.rules.max_pause);
            attempts(&mut fuse, 100, Ending::Well, now);
            prop_assert_eq!(fuse.state, State::Closed);
        }
    }
}
