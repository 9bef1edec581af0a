//! The handle on the engine, and how it is built.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::Instrument;
use windlass_core::job::JobBuilder;
use windlass_core::limits::BATCH_MAX;
use windlass_core::{InvalidInput, Job, JobId, NewJob, Owner, Payload, QueueName};
use windlass_dispatch::{HandlerOptions, Routes, Stop};
use windlass_store::{Canceled, Exchange, Outcome, Scope, Settlement, SharedStore, SubmitOutcome, Submitted};

use crate::error::Error;
use crate::health::Health;
use crate::phase::Phase;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::signals::{Backlog, QueueSignals};
use crate::trace;
use crate::turn::Submittal;

/// How often a waiting caller looks for itself: another process may have finished the job.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Submits, finds, runs and settles jobs. One per process; clones are handles on the same engine. When the last
/// handle is dropped it drains and stops by itself.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) submittals: mpsc::Sender<Submittal>,
}

/// Why the store did not take the job, if it did not.
pub(crate) fn accepted(answer: &Submitted, queue: QueueName, owner: Option<Owner>) -> Result<(), Error> {
    match answer.outcome {
        SubmitOutcome::Created(_) | SubmitOutcome::Existing | SubmitOutcome::Duplicate | SubmitOutcome::Replaced(_) => {
            Ok(())
        }
        SubmitOutcome::Conflict => Err(Error::Conflict { id: answer.id }),
        SubmitOutcome::QueueFull => Err(Error::QueueFull { queue }),
        // Only a job that has an owner is told so.
        SubmitOutcome::OwnerFull => Err(owner.map_or(Error::Busy, |owner| Error::OwnerFull { owner })),
        SubmitOutcome::OverRate { retry_after } => Err(Error::OverRate { retry_after }),
    }
}

impl Engine {
    /// The settings it runs with.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The store underneath.
    pub fn store(&self) -> &SharedStore {
        &self.shared.store
    }

    /// The handlers of this process.
    pub fn routes(&self) -> &Routes {
        &self.shared.routes
    }

    /// A job called `name` with its handler's options, where this process has it, and the engine's defaults.
    pub fn build_job(&self, name: &str, payload: Payload) -> JobBuilder {
        let options = self.shared.routes.find(name).map_or_else(HandlerOptions::default, |handler| handler.options());
        options.build(name, payload, self.shared.settings.retry())
    }

    /// Submits one job and answers when the store has it durably. The answer names the job that stands: this one, or of a
    /// unique job the one that is the same (`Duplicate`). `Conflict`, `QueueFull`, `OwnerFull` and `OverRate` are
    /// errors here.
    pub async fn submit(&self, mut job: NewJob) -> Result<Submitted, Error> {
        self.check(&job)?;
        trace::ensure(&mut job);
        let (queue, owner) = (job.queue.clone(), job.owner.clone());
        let span =
            tracing::info_span!("job.submit", job.id = %job.id, job.name = %job.name, traceparent = job.traceparent);
        let answers = self.send(vec![Arc::new(job)]).instrument(span).await?;
        let answer = answers.into_iter().next().ok_or(Error::Timeout)?;
        accepted(&answer, queue, owner)?;
        Ok(answer)
    }

    /// Submits up to 1 000 jobs in one write. Each gets its own answer, in order.
    pub async fn submit_all(&self, jobs: Vec<NewJob>) -> Result<Vec<Submitted>, Error> {
        if jobs.len() > BATCH_MAX {
            return Err(InvalidInput::new("batch", "may hold 1000 jobs or less").into());
        }
        jobs.iter().try_for_each(|job| self.check(job))?;
        let traced = jobs.into_iter().map(|mut job| {
            trace::ensure(&mut job);
            Arc::new(job)
        });
        let jobs: Vec<_> = traced.collect();
        let span = tracing::info_span!("job.submit", jobs = jobs.len());
        self.send(jobs).instrument(span).await
    }

    fn check(&self, job: &NewJob) -> Result<(), InvalidInput> {
        match job.payload.len() > self.shared.settings.payload_bytes_max {
            true => Err(InvalidInput::new("payload", "is over the size limit")),
            false => Ok(()),
        }
    }

    async fn send(&self, jobs: Vec<Arc<NewJob>>) -> Result<Vec<Submitted>, Error> {
        if self.shared.phases.now() > Phase::Draining {
            return Err(Error::ShuttingDown);
        }
        let (reply, answer) = oneshot::channel();
        self.submittals.try_send(Submittal { jobs, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::ShuttingDown,
        })?;
        match tokio::time::timeout(self.shared.settings.submit_timeout, answer).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(_)) => Err(Error::ShuttingDown),
            Err(_) => Err(Error::Timeout),
        }
    }

    /// The job, if `scope` may see it.
    pub async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>, Error> {
        Ok(self.shared.store.get(id, scope).await?)
    }

    /// Cancels a job, or asks its handler to stop wherever it runs.
    pub async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>, Error> {
        let canceled = self.shared.store.cancel(id, scope).await?;
        if matches!(canceled, Some(Canceled::Done(_))) {
            self.shared.waiters.ring(id);
        }
        Ok(canceled)
    }

    /// The job once it has finished, or as it is when `patience` is over. `None` as for [`get`](Self::get).
    pub async fn wait(&self, id: JobId, scope: &Scope, patience: Duration) -> Result<Option<Job>, Error> {
        let deadline = Instant::now() + patience;
        let waiter = self.shared.waiters.enter(id);
        loop {
            let mut bell = std::pin::pin!(waiter.bell().notified());
            bell.as_mut().enable();
            let job = self.get(id, scope).await?;
            let unfinished = job.as_ref().is_some_and(|job| !job.status.is_finished());
            if !unfinished || Instant::now() >= deadline || self.shared.phases.now() >= Phase::Stopping {
                return Ok(job);
            }
            let look = deadline.min(Instant::now() + LOOK_INTERVAL);
            let _ = tokio::time::timeout_at(look, bell).await;
        }
    }

    /// How the engine is.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Shuts down and answers when everything is settled: stops claiming, gives back what was claimed ahead, lets
    /// running jobs and local queues go on for `shutdown_grace`, then asks their handlers to stop and gives their jobs back without
    /// spending an attempt. Takes the grace and less than two seconds at most, however the store and the handlers are.
    pub async fn shutdown(&self) {
        let phases = &self.shared.phases;
        phases.advance(Phase::Draining);
        let drained = tokio::time::timeout(self.shared.settings.shutdown_grace, async {
            self.shared.registry.emptied().await;
            // After the jobs, which may spawn; what they spawn may still submit. Nobody waits for them any more once it
            // is to end at once.
            tokio::select! {
                () = self.shared.routes.drain_applications() => {}
                () = phases.reached(Phase::Stopping) => {}
            }
        });
        if drained.await.is_err() {
            self.shutdown_now().await;
        }
        phases.advance(Phase::Stopping);
        let _ = tokio::time::timeout(Duration::from_millis(500), phases.reached(Phase::Stopped)).await;
        phases.advance(Phase::Stopped);
    }

    /// Gives back what still runs, at once; what a second signal asks for.
    pub async fn shutdown_now(&self) {
        self.shared.phases.advance(Phase::Stopping);
        let running = self.shared.registry.list();
        tracing::warn!(jobs = running.len(), "the grace period is over; giving running jobs back");
        for (_, context) in running {
            context.request_stop(Stop::Shutdown);
        }
        let _ = tokio::time::timeout(Duration::from_millis(400), self.shared.registry.emptied()).await;
        self.release_blocked().await;
    }

    /// Gives back the jobs of handlers that block their thread and cannot be stopped.
    async fn release_blocked(&self) {
        let blocked = self.shared.registry.list().into_iter().map(|(lease, _)| lease);
        let held = blocked.filter(|lease| self.shared.registry.end(*lease));
        let release = |lease| Settlement { lease, outcome: Outcome::Release, emitted: Vec::new() };
        let settle: Vec<_> = held.map(release).collect();
        if settle.is_empty() {
            return;
        }
        let turn = Exchange { settle, ..Exchange::default() };
        let leases: Vec<_> = turn.settle.iter().map(|settlement| settlement.lease).collect();
        match tokio::time::timeout(Duration::from_millis(500), self.shared.store.exchange(turn)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "running jobs could not be given back; their leases run out"),
            Err(_) => tracing::error!("running jobs could not be given back in time; their leases run out"),
        }
        self.shared.registry.settled(leases.into_iter());
    }

    /// Reads the signals of every queue that this process serves or that has jobs, for operators and autoscalers. One count
    /// of the store and a look at who has waited longest, meant to be asked every few seconds; rates are since the reading a minute ago, or the oldest since. Ask
    /// a process that works: how long attempts take is not stored.
    ///
    /// # Errors
    ///
    /// `Unsupported` when the store cannot count its jobs; `Store` when it does not answer.
    pub async fn signals(&self) -> Result<Vec<QueueSignals>, Error> {
        let query = self.shared.store.query().ok_or(Error::Unsupported { what: "counts" })?;
        let backlog = Backlog::of(query).await?;
        let Shared { readings, traffic, settings, slots, .. } = &*self.shared;
        Ok(readings.add(Instant::now().into_std(), &backlog, traffic, &settings.queues, slots.count()))
    }

    /// Ends when shutdown has begun.
    pub async fn shutting_down(&self) {
        self.shared.phases.reached(Phase::Draining).await;
    }
}
