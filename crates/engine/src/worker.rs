//! One attempt, from claim to settlement: route → run under its time limit → normalise → settle.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;
use futures_util::poll;
use tracing::{Instrument, Span};
use windlass_core::limits::DELAY_MAX;
use windlass_core::retry::Verdict;
use windlass_core::{ErrorClass, JobError, Payload};
use windlass_dispatch::{Conclusion, Context, Error, Routed, Run, Stop};
use windlass_store::{ClaimedJob, Lease, Outcome, Settlement};

use crate::breakers::Passing;
use crate::evidence::Ending;
use crate::overtime::Overtime;
use crate::shared::Shared;

/// How long a job whose handler this process lacks stays away before somebody may claim it again.
const UNKNOWN_DELAY: Duration = Duration::from_secs(5);
/// How long a handler may take to return after shutdown ended its grace, before its job is given back.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// A claimed job on its way through this process.
pub(crate) struct Attempt {
    pub(crate) claimed: ClaimedJob,
    pub(crate) context: Context,
    /// Counts from the start, once there is one.
    pub(crate) overtime: Overtime,
    /// When the claim was answered, at the latest.
    received: Instant,
}

/// What an attempt leaves behind.
pub(crate) struct Finished {
    pub(crate) lease: Lease,
    /// `None` when the lease is lost: whatever was said would be refused.
    pub(crate) settlement: Option<Settlement>,
    pub(crate) suspect: bool,
}

impl Attempt {
    pub(crate) fn new(claimed: ClaimedJob, shared: &Shared) -> Self {
        let context = Context::new(Run {
            job: claimed.new.clone(),
            attempt: claimed.attempt(),
            token: claimed.lease.token.0,
            states: shared.routes.states().clone(),
        });
        let received = Instant::now();
        let overtime = Overtime::of(&claimed, &shared.settings, received);
        Self { claimed, context, overtime, received }
    }

    /// What becomes of a job that is not worth running any more, by the store's clock.
    fn expired(&self) -> Option<Outcome> {
        let moment = self.claimed.new.expires_at(self.claimed.created_at)?;
        let now = self.claimed.started_at.after(self.received.elapsed());
        (moment <= now).then(|| Outcome::Fail(JobError::expired(moment)))
    }

    /// What is left of an attempt that broke outside its handler (in a destructor, say): its lease runs out.
    pub(crate) fn broken(lease: Lease, suspect: bool) -> Finished {
        tracing::error!(job.id = %lease.id, "the attempt broke outside its handler; its lease runs out");
        Finished { lease, settlement: None, suspect }
    }

    /// Gives the job back unstarted, without having spent anything.
    pub(crate) fn give_back(&self) -> Settlement {
        settlement(self.claimed.lease, Outcome::Release, &self.context)
    }

    /// Runs the handler to its end, whichever that is.
    pub(crate) async fn execute(&self, shared: &Shared) -> Finished {
        let span = tracing::info_span!(
            "job.run",
            job.id = %self.claimed.new.id,
            job.name = %self.claimed.new.name,
            job.attempt = self.claimed.attempt(),
            traceparent = self.claimed.new.traceparent.as_deref(),
        );
        let outcome = match (self.expired(), shared.routes.find(self.claimed.new.name.as_str())) {
            (Some(expired), _) => Some(expired),
            (None, Some(handler)) if shared.breakers.are_none() => {
                let conclusion = self.run(handler.clone(), shared).instrument(span).await;
                let pause = wanted_pause(conclusion.as_ref());
                let outcome = self.normalise(conclusion, shared);
                // Apart, so that attempts are no larger for what few of them meet.
                if let Some(pause) = pause {
                    Box::pin(self.pause_others(pause, shared)).await;
                }
                outcome
            }
            // Apart, so that attempts are no larger where no handler has a breaker.
            (None, Some(handler)) => Box::pin(self.go_through(handler.clone(), span, shared)).await,
            (None, None) => Some(unknown(&self.claimed, shared)),
        };
        Finished {
            lease: self.claimed.lease,
            settlement: outcome.map(|outcome| settlement(self.claimed.lease, outcome, &self.context)),
            suspect: self.claimed.is_suspect(),
        }
    }

    /// Runs the handler if its breaker lets the attempt pass.
    async fn go_through(&self, handler: Arc<dyn Routed>, span: Span, shared: &Shared) -> Option<Outcome> {
        match self.enter(shared).await {
            Ok(passing) => {
                let conclusion = self.run(handler, shared).instrument(span).await;
                if let Some(pause) = wanted_pause(conclusion.as_ref()) {
                    self.pause_others(pause, shared).await;
                }
                self.leave(passing, conclusion.as_ref()).await;
                self.normalise(conclusion, shared)
            }
            Err(delay) => Some(Outcome::Snooze { delay }),
        }
    }

    /// Passes the handler's breaker, if there is one and the attempt shall run at all; else says for how long to put it off.
    async fn enter<'a>(&self, shared: &'a Shared) -> Result<Option<Passing<'a>>, Duration> {
        if self.context.stop_reason().is_some() {
            return Ok(None);
        }
        let now = self.claimed.started_at.after(self.received.elapsed());
        let limit = self.overtime.over.saturating_duration_since(Instant::now());
        shared.breakers.admit(&self.claimed.new.name, now, limit, shared.store.gates()).await
    }

    async fn leave(&self, passing: Option<Passing<'_>>, conclusion: Option<&Conclusion>) {
        if let Some(passing) = passing {
            let now = self.claimed.started_at.after(self.received.elapsed());
            passing.end(self.ending(conclusion), now).await;
        }
    }

    async fn run(&self, handler: Arc<dyn Routed>, shared: &Shared) -> Option<Conclusion> {
        if self.context.stop_reason().is_some() {
            return None;
        }
        let begun = shared.slots.begin(&self.claimed.new.name);
        let started = Instant::now();
        let mut work = AssertUnwindSafe(handler.call(self.context.clone())).catch_unwind();
        // Handlers that are done at once need neither a timer nor a place in a waiting list, nor room for them.
        let ended = match poll!(Pin::new(&mut work)) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => Box::pin(self.supervise(&mut work, started, shared)).await,
        };
        let waited = self.claimed.created_at.until(self.claimed.started_at);
        let took = started.elapsed();
        shared.metrics.attempted(&self.claimed.new.name, waited, took);
        shared.traffic.note(&self.claimed.new.queue, took, started.duration_since(self.received) + took);
        let panicked = |panic: Box<dyn Any + Send>| Conclusion::Failed(Error::panicked(panic.as_ref()));
        let conclusion = ended.map(|ended| ended.unwrap_or_else(panicked));
        if let Some(begun) = begun {
            begun.end(took, self.ending(conclusion.as_ref()));
        }
        conclusion
    }

    /// What its end says of whatever the handler works with.
    fn ending(&self, conclusion: Option<&Conclusion>) -> Ending {
        match (self.context.stop_reason(), conclusion) {
            (Some(Stop::TimedOut), _) if !self.overtime.is_deadline() => Ending::Ill,
            (None, Some(Conclusion::Done(_))) => Ending::Well,
            (None, Some(Conclusion::Failed(error))) if error.class() != ErrorClass::Permanent => Ending::Ill,
            _ => Ending::Neither,
        }
    }

    /// Slows down everybody who starts the handler's jobs.
    async fn pause_others(&self, pause: Duration, shared: &Shared) {
        if let Some(gates) = shared.store.gates() {
            shared.holds.slow_down(gates, &self.claimed.new, pause).await;
        }
    }

    /// Waits for the handler under its time limit. `None` when it was dropped.
    async fn supervise<T>(
        &self,
        work: &mut (impl Future<Output = T> + Unpin),
        started: Instant,
        shared: &Shared,
    ) -> Option<T> {
        let (limit, grace) = (self.overtime.limit, shared.settings.cancel_grace);
        tokio::select! {
            biased;
            ended = &mut *work => return Some(ended),
            reason = self.context.stopped() => match reason {
                Stop::LeaseLost | Stop::TimedOut => return None,
                Stop::Canceled => {}
                Stop::Shutdown => return tokio::time::timeout(LAST_WORDS, work).await.ok(),
            },
            () = tokio::time::sleep_until((started + limit).into()) => {
                self.context.request_stop(Stop::TimedOut);
                return None;
            }
        }
        tokio::time::timeout(grace, work).await.ok()
    }

    /// Turns what the handler said, or that it was dropped, into what the store is told.
    fn normalise(&self, conclusion: Option<Conclusion>, shared: &Shared) -> Option<Outcome> {
        if self.context.stop_reason() == Some(Stop::LeaseLost) {
            return None;
        }
        let Some(conclusion) = conclusion else { return Some(self.dropped()) };
        Some(match conclusion {
            Conclusion::Done(result) => self.done(result, shared),
            Conclusion::Snoozed(delay) => Outcome::Snooze { delay: delay.min(DELAY_MAX) },
            Conclusion::Failed(error) => match self.context.stop_reason() {
                Some(Stop::Canceled) => Outcome::Stop,
                Some(Stop::Shutdown) => Outcome::Release,
                _ => self.failed(error),
            },
        })
    }

    fn done(&self, result: Payload, shared: &Shared) -> Outcome {
        let limit = shared.settings.result_bytes_max;
        if result.len() <= limit {
            return Outcome::Complete(result);
        }
        let message = format!("the result has {} bytes, {limit} are allowed", result.len());
        Outcome::Fail(JobError::new(JobError::BAD_RESULT, message))
    }

    fn failed(&self, error: Error) -> Outcome {
        let verdict = self.claimed.new.retry.judge(error.class(), self.claimed.retries, fastrand::f64());
        let error = error.into_described();
        match verdict {
            Verdict::Retry(delay) => Outcome::Retry { delay, error },
            Verdict::Fail => Outcome::Fail(error),
        }
    }

    fn dropped(&self) -> Outcome {
        match self.context.stop_reason() {
            Some(Stop::Canceled) => Outcome::Stop,
            Some(Stop::Shutdown) => Outcome::Release,
            _ => self.overtime.outcome(&self.claimed.new),
        }
    }
}

/// Whoever stands behind the handler may want a pause, of others too.
fn wanted_pause(conclusion: Option<&Conclusion>) -> Option<Duration> {
    match conclusion {
        Some(Conclusion::Failed(error)) => match error.class() {
            ErrorClass::RateLimited { retry_after } => Some(retry_after.min(DELAY_MAX)),
            _ => None,
        },
        _ => None,
    }
}

fn unknown(claimed: &ClaimedJob, shared: &Shared) -> Outcome {
    shared.metrics.unknown.increment(1);
    tracing::warn!(job.name = %claimed.new.name, "no handler for this job in this process; given back");
    Outcome::Snooze { delay: UNKNOWN_DELAY }
}

fn settlement(lease: Lease, outcome: Outcome, context: &Context) -> Settlement {
    let emitted = match outcome {
        Outcome::Complete(_) => context.take_emitted(),
        _ => Vec::new(),
    };
    Settlement { lease, outcome, emitted }
}
