//! The breakers of one process, and what they tell the others through the store.
//!
//! Whoever opens one holds the gate of the handler, so that no process claims its jobs. A hold ends by the store's clock,
//! whatever becomes of those who asked for it. It needs a rate: where none is set, one is set that nothing ever reaches, the
//! *mark*. The mark also tells other processes that a breaker is open, and whoever closes it takes it away; one that was left
//! behind stops nobody. What operators have set at the gate stays as it is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use windlass_core::gate::{Edit, Rule};
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Gate, InvalidInput, JobName, Limits, Rate, Timestamp};
use windlass_store::{Error, Gates};

use crate::breaker::Breaker;
use crate::error::StartError;
use crate::evidence::Ending;
use crate::fuse::{Entry, Fuse, News, Pass, State};
use crate::health::OpenBreaker;
use crate::metrics::BreakerMetrics;

/// How long an attempt waits until the store has been told.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long a job is put off that was claimed before its gate was held: when it is back, it waits there.
const ASIDE: Duration = Duration::from_secs(1);
/// Looks at the store are this far apart at most.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// All handlers that have one.
#[derive(Default)]
pub(crate) struct Breakers(HashMap<JobName, Line>);

/// One handler's.
struct Line {
    gate: Gate,
    inside: Mutex<Inside>,
    metrics: BreakerMetrics,
}

struct Inside {
    fuse: Fuse,
    /// Whether the store knows what state the fuse is in.
    told: bool,
}

/// An attempt that runs. However it ends, it probes no longer.
pub(crate) struct Passing<'a> {
    line: &'a Line,
    gates: Option<&'a dyn Gates>,
    pass: Option<Pass>,
    /// When it began.
    began: Timestamp,
}

/// A million within a second and seven microseconds: who sets a rate by hand sets another one.
fn mark() -> Option<Rate> {
    Rate::new(1_000_000, Duration::from_micros(1_000_007)).ok()
}

/// The limits of a rule that replaces the one at a gate: a breaker that is open stays so.
pub(crate) fn keep_mark(before: &Rule, mut limits: Limits) -> Limits {
    limits.rate = limits.rate.or(before.limits.rate.filter(|rate| Some(*rate) == mark()));
    limits
}

impl Breakers {
    /// Those of the `handlers`: as said for one of them, or else for `all`.
    pub(crate) fn of<'a>(
        handlers: impl Iterator<Item = &'a JobName>,
        all: Option<f64>,
        own: &[(String, Option<Breaker>)],
    ) -> Result<Self, StartError> {
        let checked = |handler: &str, breaker: Breaker| {
            let named = |error| StartError::Breaker { handler: handler.to_owned(), error };
            breaker.validate().map(|()| breaker).map_err(named)
        };
        let handlers: Vec<_> = handlers.collect();
        let missing = own.iter().find(|(name, _)| !handlers.iter().any(|handler| handler.as_str() == name));
        if let Some((handler, _)) = missing {
            let error = InvalidInput::new("handler", "is none of this process; add it, or check its name");
            return Err(StartError::Breaker { handler: handler.clone(), error });
        }
        let mut lines = HashMap::default();
        for handler in handlers {
            // What was said last counts.
            let own = own.iter().rfind(|(name, _)| name == handler.as_str()).map(|(_, breaker)| *breaker);
            let for_all = all.map(|failure_rate| Breaker { failure_rate, ..Breaker::default() });
            if let Some(breaker) = own.unwrap_or(for_all) {
                lines.insert(handler.clone(), Line::new(handler, checked(handler.as_str(), breaker)?));
            }
        }
        Ok(Self(lines))
    }

    /// Whether no handler has one.
    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// How often to ask what others know; `None` where there is nothing to ask for.
    pub(crate) fn interval(&self) -> Option<Duration> {
        let shortest = self.0.values().map(|line| line.inside().fuse.rules().pause).min();
        shortest.map(|pause| (pause / 2).min(LOOK_MAX))
    }

    /// Those that are not closed, by their names.
    pub(crate) fn open(&self) -> Vec<OpenBreaker> {
        let open = self.0.iter().filter_map(|(handler, line)| match line.inside().fuse.state() {
            State::Closed => None,
            State::Open { until } => Some(OpenBreaker { handler: handler.clone(), until: Some(until) }),
            State::Probing { .. } => Some(OpenBreaker { handler: handler.clone(), until: None }),
        });
        let mut open: Vec<_> = open.collect();
        open.sort_by(|one, other| one.handler.cmp(&other.handler));
        open
    }

    /// Lets an attempt that may take `limit` begin at `now`, by the store's clock; `None` where nobody wants to know. Else
    /// says for how long its job is to be put off.
    pub(crate) async fn admit<'a>(
        &'a self,
        handler: &JobName,
        now: Timestamp,
        limit: Duration,
        gates: Option<&'a dyn Gates>,
    ) -> Result<Option<Passing<'a>>, Duration> {
        let Some(line) = self.0.get(handler) else { return Ok(None) };
        let (entry, news, told) = line.begin(now, limit);
        let mut passing = Passing { line, gates, pass: None, began: now };
        let delay = match entry {
            Entry::Passes(pass) => {
                passing.pass = Some(pass);
                None
            }
            Entry::Waits(span) => Some(if told { span.min(ASIDE) } else { span }),
        };
        if let Some(news) = news {
            Box::pin(line.spread(news, gates)).await;
        }
        delay.map_or(Ok(Some(passing)), Err)
    }

    /// Tells the store what it was not told, and asks it which breakers others have opened and closed.
    pub(crate) async fn look(&self, gates: &dyn Gates) -> Result<(), Error> {
        for line in self.0.values().filter(|line| !line.inside().told) {
            line.tell(gates).await;
        }
        let eras: Vec<_> = self.0.values().map(|line| (line, line.era_told())).collect();
        let rules = rules_of_handlers(gates).await?;
        for (line, era) in eras {
            let rate = rules.iter().find(|(gate, _)| *gate == line.gate).and_then(|(_, rule)| rule.limits.rate);
            // What an operator's rate hides is not known.
            if era.is_some() && (rate.is_none() || rate == mark()) {
                line.learn(rate.is_some(), era);
            }
        }
        Ok(())
    }
}

async fn rules_of_handlers(gates: &dyn Gates) -> Result<Vec<(Gate, Rule)>, Error> {
    let mut found = Vec::new();
    // By their texts, handlers come next.
    let mut after = Gate::Everything;
    loop {
        let page = gates.list_gates(Some(&after), PAGE_MAX).await?;
        let handlers = page.iter().filter(|ruled| matches!(ruled.gate, Gate::Handler(_)));
        found.extend(handlers.map(|ruled| (ruled.gate.clone(), ruled.rule.clone())));
        match page.into_iter().next_back() {
            Some(last) if matches!(last.gate, Gate::Handler(_)) => after = last.gate,
            _ => return Ok(found),
        }
    }
}

impl Line {
    fn new(handler: &JobName, breaker: Breaker) -> Self {
        let inside = Mutex::new(Inside { fuse: Fuse::new(breaker), told: true });
        Self { gate: Gate::Handler(handler.clone()), inside, metrics: BreakerMetrics::new(handler) }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, now: Timestamp, limit: Duration) -> (Entry, Option<News>, bool) {
        let mut inside = self.inside();
        let (entry, news) = inside.fuse.begin(now, limit);
        self.note(&mut inside, news);
        (entry, news, inside.told)
    }

    fn end(&self, pass: Pass, ending: Ending, now: Timestamp) -> Option<News> {
        let mut inside = self.inside();
        let news = inside.fuse.end(pass, ending, now);
        self.note(&mut inside, news);
        news
    }

    /// What the store was told, as the state that the fuse is in; `None` while it has not been.
    fn era_told(&self) -> Option<u64> {
        let inside = self.inside();
        inside.told.then(|| inside.fuse.era())
    }

    /// What others know, as it was in some era.
    fn learn(&self, open: bool, era: Option<u64>) {
        let mut inside = self.inside();
        if !inside.told || Some(inside.fuse.era()) != era {
            return;
        }
        inside.fuse.learn(open);
        if Some(inside.fuse.era()) != era {
            self.metrics.open.set(if open { 1.0 } else { 0.0 });
            match open {
                true => tracing::warn!(gate = %self.gate, "another process has opened the breaker; probing"),
                false => tracing::info!(gate = %self.gate, "the breaker was closed by another process"),
            }
        }
    }

    fn note(&self, inside: &mut Inside, news: Option<News>) {
        match news {
            Some(News::Opened { failed, attempts }) => {
                inside.told = false;
                self.metrics.open.set(1.0);
                self.metrics.opened.increment(1);
                let (gate, pause) = (&self.gate, inside.fuse.pause());
                tracing::warn!(%gate, failed, attempts, ?pause,
                    "the breaker is open: attempts fail, and none starts in any process until the pause is over; look at what the handler calls");
            }
            Some(News::Closed) => {
                inside.told = false;
                self.metrics.open.set(0.0);
                tracing::info!(gate = %self.gate, "the breaker is closed: probes succeeded");
            }
            Some(News::Probed) | None => {}
        }
    }

    async fn spread(&self, news: News, gates: Option<&dyn Gates>) {
        let Some(gates) = gates else { return };
        match news {
            News::Opened { .. } | News::Closed => self.tell(gates).await,
            News::Probed => {
                let pause = self.inside().fuse.rules().pause;
                self.try_to(hold(&self.gate, pause, gates)).await;
            }
        }
    }

    /// Has the gate be as the fuse is.
    async fn tell(&self, gates: &dyn Gates) {
        let (state, pause, era) = {
            let inside = self.inside();
            (inside.fuse.state(), inside.fuse.pause(), inside.fuse.era())
        };
        let told = match state {
            State::Closed => self.try_to(free(&self.gate, gates)).await,
            State::Open { .. } | State::Probing { .. } => self.try_to(hold(&self.gate, pause, gates)).await,
        };
        let mut inside = self.inside();
        inside.told |= told && inside.fuse.era() == era;
    }

    async fn try_to(&self, edit: impl Future<Output = Result<(), Error>>) -> bool {
        let gate = &self.gate;
        match tokio::time::timeout(PATIENCE, edit).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                tracing::warn!(%gate, %error, "the breaker holds in this process only: the store refuses")
            }
            Err(_) => tracing::warn!(%gate, "the breaker holds in this process only for now: the store takes too long"),
        }
        false
    }
}

/// Nobody starts for so long.
async fn hold(gate: &Gate, pause: Duration, gates: &dyn Gates) -> Result<(), Error> {
    // Enough where a rate is set; and a store that holds none says so before a rate is.
    gates.edit_gate(gate, Edit::Hold(pause)).await?;
    gates.edit_gate(gate, Edit::Rate { expected: None, rate: mark() }).await?;
    gates.edit_gate(gate, Edit::Hold(pause)).await
}

async fn free(gate: &Gate, gates: &dyn Gates) -> Result<(), Error> {
    gates.edit_gate(gate, Edit::Rate { expected: mark(), rate: None }).await
}

impl Passing<'_> {
    /// Notes how it ended at `now`. When it is done, the store has heard what follows, or does not answer.
    pub(crate) async fn end(mut self, ending: Ending, now: Timestamp) {
        let news = self.pass.take().and_then(|pass| self.line.end(pass, ending, now));
        if let Some(news) = news {
            Box::pin(self.line.spread(news, self.gates)).await;
        }
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.line.end(pass, Ending::Neither, self.began);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

    fn breakers(job: &JobName, breaker: Breaker) -> Breakers {
        Breakers::of([job].into_iter(), None, &[(job.to_string(), Some(breaker))]).expect("valid")
    }

    /// Begins one after the other until one has to wait.
    async fn all_that_may<'a>(breakers: &'a Breakers, job: &JobName, now: Timestamp) -> Vec<Passing<'a>> {
        let mut passing = Vec::new();
        while let Ok(Some(one)) = breakers.admit(job, now, Duration::MAX, None).await {
            passing.push(one);
        }
        passing
    }

    #[tokio::test]
    async fn an_attempt_that_is_dropped_probes_no_longer() {
        let job = JobName::new("Call").expect("valid");
        let breakers = breakers(&job, Breaker { min_attempts: 1, ..Breaker::default() });
        let first = breakers.admit(&job, NOW, Duration::MAX, None).await.expect("closed").expect("known");
        first.end(Ending::Ill, NOW).await;
        let later = NOW.after(Duration::from_secs(5));
        for _ in 0..9 {
            assert_eq!(all_that_may(&breakers, &job, later).await.len(), 3);
        }
    }

    #[tokio::test]
    async fn who_has_none_is_not_asked() {
        let job = JobName::new("Call").expect("valid");
        let breakers = Breakers::of([&job].into_iter(), None, &[]).expect("valid");
        assert!(breakers.admit(&job, NOW, Duration::MAX, None).await.is_ok_and(|passing| passing.is_none()));
        assert_eq!((breakers.interval(), breakers.open()), (None, Vec::new()));
    }

    #[test]
    fn the_mark_is_kept_where_no_other_rate_is_set() {
        let open = Rule { limits: Limits { rate: mark(), ..Limits::default() }, ..Rule::default() };
        assert!(mark().is_some());
        assert_eq!(keep_mark(&open, Limits::running(2)), Limits { rate: mark(), ..Limits::running(2) });
        let own = Limits::rate(Rate::per_second(5).expect("valid"));
        assert_eq!(keep_mark(&open, own), own);
        assert_eq!(keep_mark(&Rule { limits: own, ..Rule::default() }, Limits::running(2)), Limits::running(2));
    }
}
