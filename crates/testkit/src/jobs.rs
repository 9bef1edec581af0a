//! The jobs, results and errors that scenarios use.

use std::time::Duration;

use windlass_core::{
    JobBuilder, JobError, JobName, NewJob, Owner, Payload, Priority, Progress, QueueName, RetryPolicy, Start, Timestamp,
};
use windlass_store::{Outcome, Scope};

/// A job with a fresh id, shaped by the caller.
pub fn job(shape: impl FnOnce(JobBuilder) -> JobBuilder) -> NewJob {
    let draft = NewJob::build("Scenario", Payload::new("text/plain", "input"));
    shape(draft).finish(Timestamp::UNIX_EPOCH).expect("a scenario's job is valid")
}

/// A job with default settings.
pub fn plain() -> NewJob {
    job(|draft| draft)
}

/// `count` jobs with default settings.
pub fn many(count: usize) -> Vec<NewJob> {
    (0..count).map(|_| plain()).collect()
}

/// A job that waits in `queue`.
pub fn waiting_in(queue: &str) -> NewJob {
    job(|draft| draft.queue(queue))
}

/// A job of a priority, 0 (first) to 9 (last).
pub fn ranked(level: u8) -> NewJob {
    job(|draft| draft.priority(Priority::new(level).expect("a level from 0 to 9")))
}

/// A job that may start `delay` after its acceptance.
pub fn delayed(delay: Duration) -> NewJob {
    job(|draft| draft.start(Start::After(delay)))
}

/// A job that only `owner` may see.
pub fn owned_by(owner: &str) -> NewJob {
    job(|draft| draft.owner(Some(owner_named(owner))))
}

/// A job that is taken for the cause of its worker's death after `max_crashes` of them.
pub fn fragile(max_crashes: u32) -> NewJob {
    job(|draft| draft.retry(RetryPolicy { max_crashes, ..RetryPolicy::default() }))
}

/// An owner.
pub fn owner_named(name: &str) -> Owner {
    Owner::new(name).expect("a valid owner")
}

/// The scope of an owner.
pub fn scope_of(owner: &str) -> Scope {
    Scope::Of(owner_named(owner))
}

/// A queue.
pub fn queue_named(name: &str) -> QueueName {
    QueueName::new(name).expect("a valid queue name")
}

/// A handler's name.
pub fn job_named(name: &str) -> JobName {
    JobName::new(name).expect("a valid handler name")
}

/// The result of a handler.
pub fn result() -> Payload {
    Payload::new("text/plain; charset=utf-8", "output")
}

/// The error of a handler.
pub fn error() -> JobError {
    JobError { chain: vec!["connection refused".into()], ..JobError::new("CARD", "could not charge the card") }
}

/// Success.
pub fn complete() -> Outcome {
    Outcome::Complete(result())
}

/// A failure that is tried again after `delay`.
pub fn retry(delay: Duration) -> Outcome {
    Outcome::Retry { delay, error: error() }
}

/// A failure for good.
pub fn fail() -> Outcome {
    Outcome::Fail(error())
}

/// A wish to run again after `delay`.
pub fn snooze(delay: Duration) -> Outcome {
    Outcome::Snooze { delay }
}

/// Progress up to `fraction`.
pub fn progress(fraction: f64) -> Progress {
    Progress { fraction, message: Some(format!("at {fraction}")) }
}
