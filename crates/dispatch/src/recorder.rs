//! For tests of applications: what was sent, published and submitted.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_core::job::JobBuilder;
use windlass_core::{Clock, JobId, NewJob, Payload, RetryPolicy, SystemClock};

use crate::durable::Submitter;
use crate::envelope::Envelope;
use crate::error::Result;
use crate::handler::HandlerOptions;
use crate::message::Message;
use crate::message_context::MessageContext;

/// How a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A command or a query came to its handler, whichever way.
    Sent,
    /// An event came to its handlers.
    Published,
}

/// A message that was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// How it went.
    pub how: How,
    /// Its name.
    pub name: &'static str,
    /// The message with what is known of it: `null` in place of one that is no data, and a beginning of its own where nobody
    /// has made a context.
    pub envelope: Envelope<Value>,
}

/// Records the messages of an application that has a field of this type. One that is [`off`](Self::off), the default, costs a
/// look at a word; an application without such a field nothing.
///
/// It takes the place of an engine too: `app.durable.connect(Arc::new(recorder.clone()))` records what is submitted.
#[derive(Clone, Default)]
pub struct Recorder(Option<Arc<Records>>);

#[derive(Default)]
struct Records {
    messages: Mutex<Vec<Recorded>>,
    jobs: Mutex<Vec<NewJob>>,
}

impl Recorder {
    /// Records nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Records everything.
    pub fn on() -> Self {
        Self(Some(Arc::default()))
    }

    /// All messages that came, in their order.
    pub fn recorded(&self) -> Vec<Recorded> {
        let records =
            self.0.as_ref().map(|records| records.messages.lock().unwrap_or_else(PoisonError::into_inner).clone());
        records.unwrap_or_default()
    }

    /// Those of one kind, read back from what was recorded.
    pub fn all<M: Message + DeserializeOwned>(&self) -> Vec<M> {
        let named = self.recorded().into_iter().filter(|recorded| recorded.name == M::NAME);
        named.filter_map(|recorded| serde_json::from_value(recorded.envelope.payload).ok()).collect()
    }

    /// The jobs that were submitted, in their order.
    pub fn submitted(&self) -> Vec<NewJob> {
        let jobs = self.0.as_ref().map(|records| records.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone());
        jobs.unwrap_or_default()
    }

    /// Records a message that is data. For `dispatcher!`.
    #[inline]
    pub fn record<M: Message + Serialize>(&self, how: How, message: &M) {
        if let Some(records) = &self.0 {
            records.add::<M>(how, serde_json::to_value(message).unwrap_or_default());
        }
    }

    /// Records a message that is none. For `dispatcher!`.
    #[inline]
    pub fn record_name<M: Message>(&self, how: How) {
        if let Some(records) = &self.0 {
            records.add::<M>(how, Value::Null);
        }
    }
}

impl Records {
    fn add<M: Message>(&self, how: How, payload: Value) {
        let context = MessageContext::heard::<M>();
        let envelope = Envelope::new(payload, &context);
        let recorded = Recorded { how, name: M::NAME, envelope };
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
    }
}

impl Submitter for Recorder {
    fn build(&self, name: &str, options: &HandlerOptions, payload: Payload) -> JobBuilder {
        options.build(name, payload, RetryPolicy::default())
    }

    fn submit(&self, jobs: Vec<JobBuilder>) -> BoxFuture<'_, Result<Vec<JobId>>> {
        let submitted = async move {
            let now = SystemClock.now();
            let jobs = jobs.into_iter().map(|job| job.finish(now)).collect::<std::result::Result<Vec<_>, _>>()?;
            let ids = jobs.iter().map(|job| job.id).collect();
            if let Some(records) = &self.0 {
                records.jobs.lock().unwrap_or_else(PoisonError::into_inner).extend(jobs);
            }
            Ok(ids)
        };
        submitted.boxed()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Recorder(on)" } else { "Recorder(off)" })
    }
}
