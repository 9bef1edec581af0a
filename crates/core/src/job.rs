//! A job: what a caller hands over ([`NewJob`]) and what a store knows of it ([`Job`]).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, AttemptOutcome};
use crate::context::RequestContext;
use crate::failure::JobError;
use crate::id::{Incarnation, JobId};
use crate::key::{Key, distinct};
use crate::limits::{
    CONTENT_TYPE_BYTES_MAX, CONTEXT_BYTES_MAX, DELAY_MAX, HISTORY_MAX, InvalidInput, PAYLOAD_BYTES_DEFAULT,
};
use crate::message::Cause;
use crate::name::{JobName, Owner, QueueName};
use crate::payload::Payload;
use crate::retry::RetryPolicy;
use crate::state::Status;
use crate::time::Timestamp;
use crate::unique::{Subject, Unique, Uniqueness};

/// Which of two waiting jobs goes first: 0 before 9. The default is 5; equals go in order of submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

impl Priority {
    /// How many levels there are.
    pub const LEVELS: usize = 10;

    /// Refuses levels above 9.
    pub fn new(level: u8) -> Result<Self, InvalidInput> {
        if usize::from(level) >= Self::LEVELS {
            return Err(InvalidInput::new("priority", "must be from 0 (first) to 9 (last)"));
        }
        Ok(Self(level))
    }

    /// The level, 0 to 9.
    pub fn level(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl TryFrom<u8> for Priority {
    type Error = InvalidInput;

    fn try_from(level: u8) -> Result<Self, InvalidInput> {
        Self::new(level)
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

/// When a job may start. Delays count from the store's clock, so a caller's wrong clock delays nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// As soon as a worker is free.
    #[default]
    Now,
    /// So long after the store accepts it.
    After(Duration),
    /// Not before this moment by the store's clock.
    At(Timestamp),
}

impl Start {
    /// The moment before which a job accepted at `now` must not start; `None` when it may start at once.
    pub fn due(self, now: Timestamp) -> Option<Timestamp> {
        let due = match self {
            Self::Now => return None,
            Self::After(delay) => now.after(delay),
            Self::At(moment) => moment,
        };
        (due > now).then_some(due)
    }
}

/// A job as its caller hands it over. Nothing in here changes afterwards; stores keep it as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// Its id. Submitting the same id again never makes a second job.
    pub id: JobId,
    /// Which handler it is for.
    pub name: JobName,
    /// The line it waits in.
    pub queue: QueueName,
    /// Its place in that line.
    pub priority: Priority,
    /// When it may start.
    pub start: Start,
    /// Its input.
    pub payload: Payload,
    /// What happens when an attempt fails.
    pub retry: RetryPolicy,
    /// How long one attempt may run; `None` takes the worker's default.
    pub timeout: Option<Duration>,
    /// Who may see it; `None` for everybody.
    pub owner: Option<Owner>,
    /// What is kept of the request behind it.
    pub context: RequestContext,
    /// The W3C `traceparent` of the caller, so that the run links to the submission.
    pub traceparent: Option<String>,
    /// What it follows from; `None` for what begins with it.
    pub cause: Option<Box<Cause>>,
    /// On which conditions it is taken; `None` for most.
    pub conditions: Option<Box<Conditions>>,
}

/// On which conditions a job is taken. Most have none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// There must be one such job at a time.
    pub unique: Option<Uniqueness>,
    /// No attempt starts from then on.
    pub expires: Option<Expiry>,
    /// Nor from this moment on, at which one that runs is stopped; what it emits has the same deadline.
    pub deadline: Option<Timestamp>,
    /// Whose work it is, or on what: rules hold for each key.
    // Not there where there is none, as in records from before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
}

/// When a job that still waits is not worth running any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// So long after the store has accepted it.
    After(Duration),
    /// At this moment by the store's clock.
    At(Timestamp),
}

impl Conditions {
    /// The moment from which on no attempt of the job, accepted at `accepted`, starts.
    pub fn expires_at(&self, accepted: Timestamp) -> Option<Timestamp> {
        let expires = self.expires.map(|expires| match expires {
            Expiry::After(span) => accepted.after(span),
            Expiry::At(moment) => moment,
        });
        expires.into_iter().chain(self.deadline).min()
    }
}

impl NewJob {
    /// Starts a job with default settings. Errors in `name` come out of [`JobBuilder::finish`].
    pub fn build(name: impl AsRef<str>, payload: Payload) -> JobBuilder {
        JobBuilder {
            name: JobName::new(name),
            queue: Ok(QueueName::default()),
            id: None,
            unique: None,
            expires: None,
            deadline: None,
            keys: Vec::new(),
            draft: Draft::new(payload),
        }
    }

    /// What makes it unique, if it is.
    pub fn unique(&self) -> Option<&Uniqueness> {
        self.conditions.as_ref()?.unique.as_ref()
    }

    /// Makes it unique, by its handler, queue, owner and input as they are now. An id that is `fresh` becomes one with which it has
    /// its place where stores that spread jobs look for its key. Errors when the input cannot be told from others so.
    pub fn make_unique(&mut self, unique: &Unique, fresh: bool) -> Result<(), InvalidInput> {
        let (owner, input) = (self.owner.as_ref(), &self.payload.bytes[..]);
        let unique = unique.of(Subject { name: &self.name, queue: &self.queue, owner, input })?;
        if fresh {
            self.id = self.id.beside(unique.key);
        }
        self.conditions.get_or_insert_default().unique = Some(unique);
        Ok(())
    }

    /// The moment from which on no attempt of the job, accepted at `accepted`, starts.
    pub fn expires_at(&self, accepted: Timestamp) -> Option<Timestamp> {
        self.conditions.as_ref()?.expires_at(accepted)
    }

    /// Whose work it is, or on what.
    pub fn keys(&self) -> &[Key] {
        self.conditions.as_ref().map_or(&[], |conditions| &conditions.keys)
    }

    /// The moment at which everything about the job must be over.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.conditions.as_ref()?.deadline
    }

    /// Has it end by the deadline of the job that it follows from, if it would not end before.
    pub fn inherit_deadline(&mut self, of: &Self) {
        if let Some(deadline) = of.deadline() {
            let conditions = self.conditions.get_or_insert_default();
            conditions.deadline = Some(conditions.deadline.map_or(deadline, |own| own.min(deadline)));
        }
    }

    /// Whether `other` asks for the same work on behalf of the same owner, so that submitting it under the
    /// same id is a repetition and not a conflict.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.owner == other.owner
            && self.payload == other.payload
            && self.context.route == other.context.route
            && self.context.query == other.context.query
    }
}

#[derive(Clone, Debug)]
struct Draft {
    priority: Priority,
    start: Start,
    payload: Payload,
    retry: RetryPolicy,
    timeout: Option<Duration>,
    owner: Option<Owner>,
    context: RequestContext,
    traceparent: Option<String>,
    cause: Option<Box<Cause>>,
}

impl Draft {
    fn new(payload: Payload) -> Self {
        Self {
            priority: Priority::default(),
            start: Start::Now,
            payload,
            retry: RetryPolicy::default(),
            timeout: None,
            owner: None,
            context: RequestContext::default(),
            traceparent: None,
            cause: None,
        }
    }
}

/// Builds a [`NewJob`]; every check is made in [`finish`](Self::finish).
#[derive(Clone, Debug)]
#[must_use = "a job is made by finish()"]
pub struct JobBuilder {
    id: Option<JobId>,
    name: Result<JobName, InvalidInput>,
    queue: Result<QueueName, InvalidInput>,
    unique: Option<Unique>,
    expires: Option<Expiry>,
    deadline: Option<Timestamp>,
    keys: Vec<Result<Key, InvalidInput>>,
    draft: Draft,
}

impl JobBuilder {
    /// Takes this id instead of a fresh one.
    pub fn id(mut self, id: JobId) -> Self {
        self.id = Some(id);
        self
    }

    /// The queue to wait in. Default `default`.
    pub fn queue(mut self, queue: impl AsRef<str>) -> Self {
        self.queue = QueueName::new(queue);
        self
    }

    /// The place in the queue. Default 5.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.draft.priority = priority;
        self
    }

    /// When it may start. Default at once.
    pub fn start(mut self, start: Start) -> Self {
        self.draft.start = start;
        self
    }

    /// The whole retry policy.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.draft.retry = policy;
        self
    }

    /// How many retries follow the first attempt. Default 3.
    pub fn retries(mut self, max_retries: u32) -> Self {
        self.draft.retry.max_retries = max_retries;
        self
    }

    /// How long one attempt may run. Default: the worker's `job_timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.draft.timeout = Some(timeout);
        self
    }

    /// Who may see it. Default everybody.
    pub fn owner(mut self, owner: Option<Owner>) -> Self {
        self.draft.owner = owner;
        self
    }

    /// Who may see it, if nobody was named yet.
    pub fn owner_by_default(mut self, owner: Option<&Owner>) -> Self {
        self.draft.owner = self.draft.owner.or_else(|| owner.cloned());
        self
    }

    /// When it is not worth running any more if it still waits. It fails then, with the code
    /// [`EXPIRED`](crate::JobError::EXPIRED). Default never.
    pub fn expires(mut self, expires: Expiry) -> Self {
        self.expires = Some(expires);
        self
    }

    /// When everything about it must be over, by the store's clock: it does not start later, its handler is stopped then,
    /// and what it emits has the same deadline. It fails with the code [`EXPIRED`](crate::JobError::EXPIRED). Default never.
    pub fn deadline(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Whose work it is, or on what, say `("tenant", "acme")`: the rules at the gate of the key hold for it. Default nobody's.
    /// At most 8.
    pub fn key(mut self, kind: impl AsRef<str>, value: impl fmt::Display) -> Self {
        self.keys.push(Key::new(kind, value));
        self
    }

    /// What is kept of the request behind it.
    pub fn context(mut self, context: RequestContext) -> Self {
        self.draft.context = context;
        self
    }

    /// The caller's W3C `traceparent`.
    pub fn traceparent(mut self, traceparent: Option<String>) -> Self {
        self.draft.traceparent = traceparent;
        self
    }

    /// What it follows from. Default nothing.
    pub fn cause(mut self, cause: Option<Cause>) -> Self {
        self.draft.cause = cause.map(Box::new);
        self
    }

    /// There must be one such job at a time. Unless it has an id of its own, it gets one with which it has its place where
    /// stores that spread jobs look for its key. Takes the place of what its handler's options say, as `None` does, with which
    /// there may be any number.
    pub fn unique(mut self, unique: impl Into<Option<Unique>>) -> Self {
        self.unique = unique.into();
        self
    }

    /// Checks everything and makes the job; `now` goes into a fresh id only. The payload may have 1 MiB.
    pub fn finish(self, now: Timestamp) -> Result<NewJob, InvalidInput> {
        self.finish_within(now, PAYLOAD_BYTES_DEFAULT)
    }

    /// [`finish`](Self::finish) with another limit for the payload, in bytes.
    pub fn finish_within(self, now: Timestamp, payload_bytes_max: usize) -> Result<NewJob, InvalidInput> {
        self.draft.check(payload_bytes_max)?;
        let Draft { priority, start, payload, retry, timeout, owner, context, traceparent, cause } = self.draft;
        let mut job = NewJob {
            id: self.id.unwrap_or_else(|| JobId::generate(now)),
            name: self.name?,
            queue: self.queue?,
            priority,
            start,
            payload,
            retry,
            timeout,
            owner,
            context,
            traceparent,
            cause,
            conditions: None,
        };
        if matches!(self.expires, Some(Expiry::After(span)) if span.is_zero() || span > DELAY_MAX) {
            return Err(InvalidInput::new("expiry", "must be after more than zero and ten years or less"));
        }
        let keys = distinct(self.keys)?;
        if self.expires.is_some() || self.deadline.is_some() || !keys.is_empty() {
            let (expires, deadline) = (self.expires, self.deadline);
            job.conditions = Some(Box::new(Conditions { unique: None, expires, deadline, keys }));
        }
        if let Some(unique) = self.unique {
            job.make_unique(&unique, self.id.is_none())?;
        }
        Ok(job)
    }
}

impl Draft {
    fn check(&self, payload_bytes_max: usize) -> Result<(), InvalidInput> {
        self.retry.check()?;
        self.cause.as_deref().map_or(Ok(()), Cause::check)?;
        if self.payload.len() > payload_bytes_max {
            return Err(InvalidInput::new("payload", "is over the size limit"));
        }
        if self.payload.content_type.len() > CONTENT_TYPE_BYTES_MAX {
            return Err(InvalidInput::new("content type", "must have 256 bytes or less"));
        }
        if matches!(self.start, Start::After(delay) if delay > DELAY_MAX) {
            return Err(InvalidInput::new("delay", "must be ten years or less"));
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero() || timeout > DELAY_MAX) {
            return Err(InvalidInput::new("timeout", "must be more than zero and ten years or less"));
        }
        if context_bytes(&self.context) > CONTEXT_BYTES_MAX {
            return Err(InvalidInput::new("request context", "must have 16 KiB or less"));
        }
        Ok(())
    }
}

fn context_bytes(context: &RequestContext) -> usize {
    let lists = context.headers.iter().chain(&context.query);
    let listed: usize = lists.map(|(name, values)| name.len() + values.iter().map(String::len).sum::<usize>()).sum();
    listed + context.route.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

/// How far a running handler says it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// From 0 to 1.
    pub fraction: f64,
    /// What it is doing, for people.
    pub message: Option<String>,
}

/// All that a store knows of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What was submitted.
    pub new: Arc<NewJob>,
    /// Where it stands.
    pub status: Status,
    /// Retries spent so far.
    pub retries: u32,
    /// Leases lost so far.
    pub crashes: u32,
    /// Whether a running handler has been asked to stop.
    pub cancel_requested: bool,
    /// When the store accepted it.
    pub created_at: Timestamp,
    /// When it may start, while it is scheduled.
    pub scheduled_at: Option<Timestamp>,
    /// When its latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it finished.
    pub finished_at: Option<Timestamp>,
    /// When anything of this changed last.
    pub updated_at: Timestamp,
    /// What the latest attempt last reported.
    pub progress: Option<Progress>,
    /// What its handler returned.
    pub result: Option<Payload>,
    /// Why it failed, or why its latest attempt did.
    pub error: Option<JobError>,
    /// Its attempts that ended, oldest first; the latest 50.
    pub attempts: Vec<Attempt>,
}

impl Job {
    /// Appends the attempt that completed the job, for stores that do not keep it apart: all of it stands in the job
    /// itself but for the worker. `false`, and nothing, when the job never started or has not finished.
    pub fn append_completion(&mut self, worker: Incarnation) -> bool {
        let (Some(started_at), Some(finished_at)) = (self.started_at, self.finished_at) else { return false };
        if self.attempts.len() >= HISTORY_MAX {
            self.attempts.remove(0);
        }
        let number = self.retries + self.crashes + 1;
        let outcome = AttemptOutcome::Completed;
        self.attempts.push(Attempt { number, started_at, finished_at, outcome, error: None, worker });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build() -> JobBuilder {
        NewJob::build("Job", Payload::empty())
    }

    #[test]
    fn bad_settings_are_refused_at_the_end() {
        let now = Timestamp::UNIX_EPOCH;
        assert!(build().queue("no spaces").finish(now).is_err());
        assert!(build().retries(1_001).finish(now).is_err());
        assert!(build().timeout(Duration::ZERO).finish(now).is_err());
        assert!(build().start(Start::After(DELAY_MAX * 2)).finish(now).is_err());
        assert!(NewJob::build("Job", Payload::new("x", vec![0; 11])).finish_within(now, 10).is_err());
    }

    #[test]
    fn a_start_in_the_past_is_now() {
        let now = Timestamp::from_millis(10);
        assert_eq!(Start::At(Timestamp::from_millis(5)).due(now), None);
        assert_eq!(Start::After(Duration::ZERO).due(now), None);
        assert_eq!(Start::After(Duration::from_millis(1)).due(now), Some(Timestamp::from_millis(11)));
    }

    #[test]
    fn the_same_work_is_the_same_input_for_the_same_owner() {
        let one = build().finish(Timestamp::UNIX_EPOCH).expect("valid");
        let same = NewJob { priority: Priority::new(1).expect("valid"), ..one.clone() };
        let other = NewJob { owner: Some(Owner::new("eve").expect("valid")), ..one.clone() };
        assert!(one.asks_the_same(&same));
        assert!(!one.asks_the_same(&other));
    }
}
