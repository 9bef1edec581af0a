//! Deals with the ticks of schedules. Every process does; whoever writes a schedule's next state first has dealt with it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_core::limits::PAGE_MAX;
use windlass_core::schedule::Due;
use windlass_core::{JobId, Timestamp};
use windlass_store::schedules::{Kept, Record, Write};
use windlass_store::{ErrorKind, Schedules, Scope, Store};

use crate::phase::Phase;
use crate::shared::Shared;
use crate::trace;

/// How often to look when nothing says that a schedule is due: hints of other processes may be lost.
const LOOK: Duration = Duration::from_secs(10);
/// How long to leave a store alone that failed.
const AWAY: Duration = Duration::from_secs(1);
/// A store's clock may stand a little before its own answer.
const SHORTEST: Duration = Duration::from_millis(1);

/// The loop.
pub(crate) struct Scheduler {
    shared: Arc<Shared>,
}

impl Scheduler {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Looks at once, then whenever a schedule is due or may be due earlier than was thought. Hints are the exchanger's: a loop
    /// of its own on them would wake with every job, and lone submitters would feel it.
    pub(crate) async fn run(self) {
        let mut phase = self.shared.phases.watch();
        while *phase.borrow() == Phase::Running {
            let next = Instant::now() + self.pass().await;
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.shared.schedules_changed.notified() => {}
                _ = phase.wait_for(|phase| *phase > Phase::Running) => {}
            }
        }
    }

    /// Deals with what is due. How long until there is more to do.
    async fn pass(&self) -> Duration {
        match pass(&*self.shared.store).await {
            Ok(passed) => {
                self.shared.metrics.ticks.increment(passed.submitted);
                passed.pause
            }
            Err(error) => {
                self.shared.metrics.schedule_errors.increment(1);
                tracing::warn!(%error, "schedules could not be looked after; trying again");
                AWAY.mul_f64(0.5 + fastrand::f64())
            }
        }
    }
}

/// What a pass did.
#[derive(Debug)]
pub(crate) struct Passed {
    /// Jobs submitted.
    pub(crate) submitted: u64,
    /// How long until there is more to do.
    pub(crate) pause: Duration,
}

/// Deals with everything that is due.
pub(crate) async fn pass(store: &dyn Store) -> windlass_store::Result<Passed> {
    let mut submitted = 0;
    let Some(schedules) = store.schedules() else { return Ok(Passed { submitted, pause: LOOK }) };
    loop {
        let due = schedules.due_schedules(PAGE_MAX).await?;
        let (mut next, mut dealt) = (due.next, false);
        for kept in &due.schedules {
            match deal_with(store, schedules, kept, due.at).await {
                Ok(state) => {
                    submitted += state.submitted;
                    next = next.into_iter().chain(state.due).min();
                    dealt = true;
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                // It must not hold up those behind it.
                Err(error) => tracing::error!(schedule = %kept.name, %error, "this schedule cannot be dealt with here"),
            }
        }
        let failed_only = !dealt && !due.schedules.is_empty();
        match next {
            Some(next) if next <= due.at && dealt => {}
            // What is due next may stand behind what cannot be dealt with; there is nothing to hurry for.
            Some(next) if !failed_only => {
                return Ok(Passed { submitted, pause: due.at.until(next).clamp(SHORTEST, LOOK) });
            }
            Some(next) => return Ok(Passed { submitted, pause: due.at.until(next).clamp(AWAY, LOOK) }),
            None => return Ok(Passed { submitted, pause: LOOK }),
        }
    }
}

/// What became of one schedule.
struct Dealt {
    submitted: u64,
    due: Option<Timestamp>,
}

/// Writes a schedule's next state with what is submitted.
async fn deal_with(
    store: &dyn Store,
    schedules: &dyn Schedules,
    kept: &Kept,
    now: Timestamp,
) -> windlass_store::Result<Dealt> {
    let Record { schedule, cursor } = kept.record()?;
    let busy = match schedule.waits_for(&cursor) {
        Some(job) => is_unfinished(store, job).await?,
        None => false,
    };
    let Due { mut jobs, cancel, cursor } = schedule.due(&cursor, now, busy);
    jobs.iter_mut().for_each(trace::ensure);
    if let Some(job) = cancel {
        // Before it is written that this was done: whoever looks again would cancel it again.
        store.cancel(job, &Scope::Everything).await?;
    }
    let (due, submitted) = (cursor.wakes(now), jobs.len() as u64);
    let write = Write {
        name: kept.name.clone(),
        expected: Some(kept.revision),
        due,
        record: Record { schedule, cursor }.seal()?,
        jobs: jobs.into_iter().map(Arc::new).collect(),
    };
    let first = schedules.write_schedule(write).await?.is_some();
    Ok(Dealt { submitted: if first { submitted } else { 0 }, due })
}

async fn is_unfinished(store: &dyn Store, job: JobId) -> windlass_store::Result<bool> {
    let job = store.get(job, &Scope::Everything).await?;
    Ok(job.is_some_and(|job| !job.status.is_finished()))
}
