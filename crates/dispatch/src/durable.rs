//! Messages that become durable jobs: where an application leaves them.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_core::job::JobBuilder;
use windlass_core::{JobId, Payload};

use crate::call::{Has, Hear, MessageHandler};
use crate::dispatcher::HandledBy;
use crate::error::{Error, Result};
use crate::handler::HandlerOptions;
use crate::message::{Event, Message};
use crate::message_context::{MessageContext, job_under_way};
use crate::policy::{Policies, Subject};

/// What takes an application's jobs: the engine.
pub trait Submitter: Send + Sync {
    /// A job of the handler called `name`, with the engine's defaults where `options` says nothing.
    fn build(&self, name: &str, options: &HandlerOptions, payload: Payload) -> JobBuilder;

    /// Submits up to 1 000 jobs in one write, and answers with their ids, in their order, when the store has all of them
    /// durably.
    fn submit(&self, jobs: Vec<JobBuilder>) -> BoxFuture<'_, Result<Vec<JobId>>>;
}

/// Where an application submits messages as jobs: a field of it, which is connected when the engine starts with
/// `.application(&app)`.
///
/// Within a job, what is submitted belongs to its attempt, as [`Context::emit`](crate::Context::emit) has it: the new job
/// appears if and only if the attempt completes, and only once however often the attempt is repeated.
pub struct Durable<App> {
    submitter: RwLock<Option<Arc<dyn Submitter>>>,
    policies: Option<Arc<Policies>>,
    of: PhantomData<fn(App)>,
}

impl<App> Default for Durable<App> {
    fn default() -> Self {
        Self { submitter: RwLock::default(), policies: None, of: PhantomData }
    }
}

impl<App> Durable<App> {
    /// The same under these policies: their topic is the queue of a message, and their limit that of its bytes.
    pub fn under(mut self, policies: Arc<Policies>) -> Self {
        self.policies = Some(policies);
        self
    }

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
    /// What the engine answers, as a transient error where another try can help, `NOT_CONNECTED` before it has started, and
    /// `MESSAGE_TOO_LARGE` for what is over the limit of its policy.
    pub async fn submit<M>(&self, message: M) -> Result<JobId>
    where
        M: HandledBy<App> + Serialize + DeserializeOwned,
        M::Reply: Serialize,
    {
        self.submit_for(M::JOB, &M::job_options(), &message).await
    }

    /// Submits many, up to 1 000, in one write: all of them or, where one is refused, an error; submit them again then, those
    /// that were taken are new jobs.
    pub async fn submit_all<M>(&self, messages: impl IntoIterator<Item = M>) -> Result<Vec<JobId>>
    where
        M: HandledBy<App> + Serialize + DeserializeOwned,
        M::Reply: Serialize,
    {
        let submitter = self.submitter()?;
        let jobs = messages.into_iter().map(|message| self.build(&*submitter, M::JOB, &M::job_options(), &message));
        let jobs = jobs.collect::<Result<Vec<_>>>()?;
        match job_under_way() {
            Some(context) => jobs.into_iter().map(|job| context.emit(job)).collect(),
            None => submitter.submit(jobs).await,
        }
    }

    async fn submit_for(
        &self,
        name: &str,
        options: &HandlerOptions,
        message: &(impl Message + Serialize),
    ) -> Result<JobId> {
        let submitter = self.submitter()?;
        let job = self.build(&*submitter, name, options, message)?;
        let Some(context) = job_under_way() else {
            let submitted = submitter.submit(vec![job]).await?;
            return submitted.into_iter().next().ok_or_else(|| Error::transient("the job was not answered"));
        };
        context.emit(job)
    }

    fn submitter(&self) -> Result<Arc<dyn Submitter>> {
        self.connected().ok_or_else(|| {
            let advice = "nothing takes this application's jobs yet: start an engine with `.application(&app)` first";
            Error::transient(advice).code("NOT_CONNECTED")
        })
    }

    fn build(
        &self,
        submitter: &dyn Submitter,
        name: &str,
        options: &HandlerOptions,
        message: &(impl Message + Serialize),
    ) -> Result<JobBuilder> {
        let payload = Payload::json(message)?;
        let bytes = payload.len();
        let mut job = submitter.build(name, options, payload);
        let context = MessageContext::current();
        let subject = Subject::of(message).within(context.as_ref());
        if let Some(policy) = self.policies.as_ref().and_then(|policies| policies.decide(&subject)) {
            within(policy.bytes_limit(), bytes)?;
            job = policy.topic_name().into_iter().fold(job, JobBuilder::queue);
        }
        Ok(match context {
            Some(context) => {
                let traceparent = context.traceparent().map(str::to_owned);
                job.owner(context.user().cloned()).traceparent(traceparent).cause(Some(context.follows()))
            }
            None => job,
        })
    }
}

fn within(limit: Option<usize>, bytes: usize) -> Result<()> {
    match limit.filter(|limit| bytes > *limit) {
        None => Ok(()),
        Some(limit) => {
            let described = format!("the message has {bytes} bytes, and its policy allows {limit}");
            Err(Error::permanent(described).code("MESSAGE_TOO_LARGE"))
        }
    }
}

/// Submits an event as a job of one of its handlers. For `dispatcher!`.
pub async fn hear<App, E, H>(app: &App, event: &E) -> Result<()>
where
    App: Has<Durable<App>>,
    E: Event + Serialize + DeserializeOwned,
    H: Hear<App, E> + MessageHandler,
{
    let durable: &Durable<App> = app.get();
    durable.submit_for(H::JOB, &H::IT.job_options(), event).await.map(drop)
}

impl<App> fmt::Debug for Durable<App> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").field("connected", &self.connected().is_some()).finish()
    }
}
