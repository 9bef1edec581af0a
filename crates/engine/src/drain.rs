//! Draining a gate: nothing starts there any more, and what runs has ended.

use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;
use windlass_core::limits::DELAY_MAX;
use windlass_core::{Gate, JobId, Status};
use windlass_store::{Filter, Query, Scope};

use crate::error::Error;
use crate::gates::{Gates, parse};
use crate::phase::Phase;

/// How many running jobs are asked for at a time. Their payloads come along, so that they are few.
const PAGE: usize = 8;
/// A job that runs elsewhere is looked at again after this, and after twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// But not after more than this.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What became of a [drain](Gates::drain).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drained {
    /// Nothing that passes at the gate runs in any process.
    Empty,
    /// The time was over. This job still runs, and of those that do it is the oldest.
    StillRunning(JobId),
}

impl Gates {
    /// Pauses a gate, as [`pause`](Self::pause) does, and ends when nothing that passes there runs any more in any process, or
    /// after `within` (ten years at most). The gate stays paused either way, until [`resume`](Self::resume). An attempt whose
    /// process died runs until its lease is taken back. Where somebody else resumes the gate meanwhile, nothing is said of what
    /// has started since.
    ///
    /// # Errors
    ///
    /// As for [`pause`](Self::pause); `Unsupported`, and nothing is paused, when the store does not list its jobs; `Store` when it
    /// does not answer, `ShuttingDown` when this process ends meanwhile: the gate is paused then.
    pub async fn drain(&self, gate: impl ToString, note: &str, within: Duration) -> Result<Drained, Error> {
        let deadline = Instant::now() + within.min(DELAY_MAX);
        let gate = parse(&gate)?;
        let query = self.engine.shared.store.query().ok_or(Error::Unsupported { what: "lists of jobs" })?;
        self.pause(&gate, note).await?;
        tokio::select! {
            biased;
            drained = self.emptied(&gate, query, deadline) => drained,
            () = self.engine.shared.phases.reached(Phase::Stopping) => Err(Error::ShuttingDown),
        }
    }

    /// Goes through the running jobs once, since none is added: what was looked at and has ended does not start again.
    async fn emptied(&self, gate: &Gate, query: &dyn Query, deadline: Instant) -> Result<Drained, Error> {
        let mut filter = running(gate);
        loop {
            let page = query.list(&filter).await?;
            for job in page.jobs.iter().filter(|job| gate.is_passed_by(&job.new)) {
                if !self.has_ended(job.new.id, deadline).await? {
                    return Ok(Drained::StillRunning(job.new.id));
                }
            }
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(Drained::Empty),
            }
        }
    }

    /// Whether an attempt ends by the deadline. One that finishes its job in this process rings; the others are looked at.
    async fn has_ended(&self, id: JobId, deadline: Instant) -> Result<bool, Error> {
        let waiter = self.engine.shared.waiters.enter(id);
        let mut pause = FIRST_PAUSE;
        loop {
            let mut bell = pin!(waiter.bell().notified());
            bell.as_mut().enable();
            let job = self.engine.get(id, &Scope::Everything).await?;
            if job.is_none_or(|job| job.status != Status::InProgress) {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            let _ = tokio::time::timeout_at(deadline.min(now + pause), bell).await;
            pause = (2 * pause).min(PAUSE_MAX);
        }
    }
}

/// The running jobs that pass at a gate, and where stores cannot tell by keys, all.
fn running(gate: &Gate) -> Filter {
    let all = Filter { status: Some(Status::InProgress), scope: Scope::Everything, limit: PAGE, ..Filter::default() };
    match gate {
        Gate::Queue(queue) => Filter { queue: Some(queue.clone()), ..all },
        Gate::Handler(name) => Filter { name: Some(name.clone()), ..all },
        Gate::Everything | Gate::Key(_) | Gate::Keys(_) | Gate::Owner(_) | Gate::Owners | Gate::Turn(_) => all,
    }
}
