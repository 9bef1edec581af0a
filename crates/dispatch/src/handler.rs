//! The trait behind every handler. `#[job]` writes it for a plain async function; implement it by hand for a
//! handler with fields of its own.

use std::future::Future;
use std::time::Duration;

use windlass_core::job::JobBuilder;
use windlass_core::{NewJob, Payload, Priority, RetryPolicy, Unique};

use crate::context::Context;
use crate::error::Result;
use crate::extract::{Encode, Input};
use crate::reply::IntoPayload;
use crate::states::Needs;

/// Does the work of one kind of job.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job handler",
    label = "not a handler",
    note = "put `#[job(name = \"…\")]` on an async fn and pass its name, or implement `Handler` for your type"
)]
pub trait Handler: Send + Sync + 'static {
    /// What the payload holds: [`Json<T>`](crate::Json), [`Text`](crate::Text), [`Binary`](crate::Binary) or
    /// [`NoInput`](crate::NoInput).
    type Input: Input;

    /// What it answers: [`Json<T>`](crate::Json), [`Text`](crate::Text), `()`, …
    type Output: IntoPayload + Send + 'static;

    /// The name under which its jobs are stored. Keep it when the code is renamed: waiting jobs carry it.
    const NAME: &'static str;

    /// How its jobs are queued, retried and timed unless a caller says otherwise.
    fn options(&self) -> HandlerOptions {
        HandlerOptions::default()
    }

    /// Notes the shared values that it needs.
    fn needs(&self, _needs: &mut Needs) {}

    /// Does the work. It may run more than once for one job (after a crash, a lost lease or a failure), so its
    /// effects should bear repetition, or be fenced by [`Context::fencing_token`].
    fn run(&self, input: Self::Input, cx: Context) -> impl Future<Output = Result<Self::Output>> + Send;

    /// A job for this handler with its options, ready to be changed and submitted or emitted.
    fn job(&self, value: <Self::Input as Encode>::Value) -> Result<JobBuilder>
    where
        Self::Input: Encode,
    {
        Ok(self.options().build(Self::NAME, Self::Input::encode(value)?, RetryPolicy::default()))
    }
}

/// Defaults for the jobs of one handler. Durations are checked when a job is made of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerOptions {
    /// The queue; `default` when `None`.
    pub queue: Option<&'static str>,
    /// The place in the queue.
    pub priority: Priority,
    /// Retries after the first attempt; `None` takes the engine's `max_retries`.
    pub retries: Option<u32>,
    /// Upper bound of the first delay; `None` takes the engine's `retry_delay_base`.
    pub retry_delay_base: Option<Duration>,
    /// Upper bound of every delay; `None` takes one hour.
    pub retry_delay_cap: Option<Duration>,
    /// How long one attempt may run; `None` takes the engine's `job_timeout`.
    pub timeout: Option<Duration>,
    /// By what and while what holds there is one such job at a time; any number when `None`. It is checked, and its key found,
    /// when a job is made.
    pub unique: Option<Unique>,
}

impl HandlerOptions {
    /// A job builder for a handler called `name`, with the policy `fallback` where these options say nothing.
    pub fn build(&self, name: &str, payload: Payload, fallback: RetryPolicy) -> JobBuilder {
        let builder = NewJob::build(name, payload)
            .queue(self.queue.unwrap_or("default"))
            .priority(self.priority)
            .retry(self.retry(fallback))
            .unique(self.unique.clone());
        match self.timeout {
            Some(timeout) => builder.timeout(timeout),
            None => builder,
        }
    }

    /// The retry policy, with `fallback` where nothing is said.
    pub fn retry(&self, fallback: RetryPolicy) -> RetryPolicy {
        RetryPolicy {
            max_retries: self.retries.unwrap_or(fallback.max_retries),
            base: self.retry_delay_base.unwrap_or(fallback.base),
            cap: self.retry_delay_cap.unwrap_or(fallback.cap),
            max_crashes: fallback.max_crashes,
        }
    }
}
