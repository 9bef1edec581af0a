//! Layers that most applications want: checks, logs, times and tries.

use std::future::Future;
use std::time::Instant;

use tracing::Instrument;
use windlass_core::retry::Verdict;
use windlass_core::{ErrorClass, RetryPolicy};

use crate::context::Context;
use crate::error::Result;
use crate::layer::{Layer, Next};
use crate::message::Answered;
use crate::message_context::{MessageContext, job_under_way};

/// A message that can tell whether it makes sense.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say when it is valid",
    label = "not checked",
    note = "implement `Validate` for `{Self}`, or list it in a group without the layer `Validation`"
)]
pub trait Validate {
    /// Refuses what makes no sense; see [`Error::permanent`](crate::Error::permanent).
    fn validate(&self) -> Result<()>;
}

/// Refuses messages that are not valid. Its errors are permanent, whatever class they come with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validation;

impl<App: ?Sized + Sync, M: Answered + Validate> Layer<App, M> for Validation {
    #[inline]
    async fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> Result<M::Reply> {
        message.validate().map_err(|error| error.class_as(ErrorClass::Permanent))?;
        next.run(app, message).await
    }
}

/// Runs handlers within a span `message.handle` that has the message's name, and warns of failures (with `tracing`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Logging;

impl<App: ?Sized + Sync, M: Answered> Layer<App, M> for Logging {
    async fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> Result<M::Reply> {
        let handled = async {
            let reply = next.run(app, message).await;
            match &reply {
                Ok(_) => tracing::debug!("handled"),
                Err(error) => tracing::warn!(%error, "not handled"),
            }
            reply
        };
        handled.instrument(tracing::info_span!("message.handle", message = M::NAME)).await
    }
}

/// Measures handlers: the histogram `windlass_message_seconds`, by `message` and `outcome` (`ok`, `error`), through the
/// `metrics` facade.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing;

impl<App: ?Sized + Sync, M: Answered> Layer<App, M> for Timing {
    async fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> Result<M::Reply> {
        let began = Instant::now();
        let reply = next.run(app, message).await;
        let outcome = if reply.is_ok() { "ok" } else { "error" };
        let seconds = metrics::histogram!("windlass_message_seconds", "message" => M::NAME, "outcome" => outcome);
        seconds.record(began.elapsed());
        reply
    }
}

/// Tries messages again whose failure may pass, with the pauses of a job's retries. The caller waits meanwhile: keep the
/// pauses short, and submit what may take long. What a failed try has sent on outside of a job stays sent.
#[derive(Clone, Copy, Debug)]
pub struct Retrying(RetryPolicy);

impl Retrying {
    /// Up to `policy.max_retries` more tries.
    pub fn new(policy: RetryPolicy) -> Self {
        Self(policy)
    }
}

impl<App: ?Sized + Sync, M: Answered + Clone> Layer<App, M> for Retrying {
    async fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> Result<M::Reply> {
        let (arriving, job) = (MessageContext::arriving::<M>(), job_under_way());
        let emitted = job.as_ref().map(Context::emitted);
        for retries in 0.. {
            let tried = match &arriving {
                // Each try is of the same message.
                Some(context) => context.clone().deliver::<M, _>(next.run(app, message.clone())).await,
                None => next.run(app, message.clone()).await,
            };
            let error = match tried {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            if let Some((job, emitted)) = job.as_ref().zip(emitted) {
                job.forget_emitted(emitted);
            }
            match self.0.judge(error.class(), retries, fastrand::f64()) {
                Verdict::Retry(pause) => tokio::time::sleep(pause).await,
                Verdict::Fail => return Err(error),
            }
        }
        unreachable!("there are more numbers than retries")
    }
}

/// Something with transactions: a database.
pub trait Transactional: Send + Sync + 'static {
    /// A transaction. One that is dropped has to come to nothing.
    type Transaction: Send + 'static;

    /// Begins one.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction>> + Send;

    /// Makes it stand.
    fn commit(&self, transaction: Self::Transaction) -> impl Future<Output = Result<()>> + Send;

    /// Takes it back.
    fn roll_back(&self, transaction: Self::Transaction) -> impl Future<Output = ()> + Send;
}
