//! Messages that become durable jobs: where an application leaves them.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use serde::Serialize;
use windlass_core::job::JobBuilder;
use windlass_core::{JobId, Payload};

use crate::call::Has;
use crate::dispatcher::HandledBy;
use crate::error::{Error, Result};
use crate::handler::{Handler, HandlerOptions};
use crate::message::Event;
use crate::message_context::{MessageContext, job_under_way};

/// What takes an application's jobs: the engine.
pub trait Submitter: Send + Sync {
    /// A job of the handler called `name`, with the engine's defaults where `options` says nothing.
    fn build(&self, name: &str, options: &HandlerOptions, payload: Payload) -> JobBuilder;

    /// Submits it, and answers when the store has it durably.
    fn submit(&self, job: JobBuilder) -> BoxFuture<'_, Result<JobId>>;
}

/// Where an application submits messages as jobs: a field of it, which is connected when the engine starts with
/// `.application(&app)`.
///
/// Within a job, what is submitted belongs to its attempt, as [`Context::emit`](crate::Context::emit) has it: the new job
/// appears if and only if the attempt completes, and only once however often the attempt is repeated.
pub struct Durable<App> {
    submitter: RwLock<Option<Arc<dyn Submitter>>>,
    of: PhantomData<fn(App)>,
}

impl<App> Default for Durable<App> {
    fn default() -> Self {
        Self { submitter: RwLock::default(), of: PhantomData }
    }
}

impl<App> Durable<App> {
    /// Connects it, in place of what took its jobs before.
    pub fn connect(&self, submitter: Arc<dyn Submitter>) {
        *self.submitter.write().unwrap_or_else(PoisonError::into_inner) = Some(submitter);
    }

    fn connected(&self) -> Option<Arc<dyn Submitter>> {
        self.submitter.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Submits a command or a query as a job of its handler, on behalf of the message that is being handled. Answers when
    /// the store has it durably; within a job at once.
    ///
    /// # Errors
    ///
    /// What the engine answers, as a transient error where another try can help, and `NOT_CONNECTED` before it has started.
    pub async fn submit<M>(&self, message: M) -> Result<JobId>
    where
        M: HandledBy<App> + Serialize,
        M::By: Handler + Default,
    {
        self.submit_for::<M::By>(&message).await
    }

    async fn submit_for<H: Handler + Default>(&self, message: &impl Serialize) -> Result<JobId> {
        let Some(submitter) = self.connected() else {
            let advice = "nothing takes this application's jobs yet: start an engine with `.application(&app)` first";
            return Err(Error::transient(advice).code("NOT_CONNECTED"));
        };
        let payload = Payload::json(message)?;
        let mut job = submitter.build(H::NAME, &H::default().options(), payload);
        if let Some(context) = MessageContext::current() {
            let traceparent = context.traceparent().map(str::to_owned);
            job = job.owner(context.user().cloned()).traceparent(traceparent).cause(Some(context.follows()));
        }
        match job_under_way() {
            Some(context) => context.emit(job),
            None => submitter.submit(job).await,
        }
    }
}

/// Submits an event as a job of one of its handlers. For `dispatcher!`.
pub async fn hear<App, E, H>(app: &App, event: &E) -> Result<()>
where
    App: Has<Durable<App>>,
    E: Event + Serialize,
    H: Handler + Default,
{
    let durable: &Durable<App> = app.get();
    durable.submit_for::<H>(event).await.map(drop)
}

impl<App> fmt::Debug for Durable<App> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").field("connected", &self.connected().is_some()).finish()
    }
}
