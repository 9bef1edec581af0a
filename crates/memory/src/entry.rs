//! One job as the table keeps it: what callers see of it, and the lease behind it.

use std::sync::Arc;

use windlass_core::limits::HISTORY_MAX;
use windlass_core::{Attempt, AttemptOutcome, Incarnation, Job, JobError, NewJob, Status, Timestamp};
use windlass_store::Token;
use windlass_store::gatekeeper::Closed;

/// A job's number in the order of acceptance, from 1. It is the job's name inside this crate, and its place in
/// line: a job that comes back waits where it waited before.
pub(crate) type Seq = u64;

/// The token of a job that nobody has claimed yet. No lease carries it.
pub(crate) const UNCLAIMED: Token = Token(0);

#[derive(Debug)]
pub(crate) struct Entry {
    /// All that callers see, but for the attempt that completed it: see [`view`](Self::view).
    pub(crate) job: Job,
    pub(crate) seq: Seq,
    /// Its queue's place in the index: comparing names is slow.
    pub(crate) queue: usize,
    /// The latest token, issued by a claim or burnt by a reclaim.
    pub(crate) token: Token,
    /// Who claimed it last.
    pub(crate) worker: Option<Incarnation>,
    /// When the latest lease ends. Means nothing unless the job is `InProgress`.
    pub(crate) expires: Timestamp,
    /// Where it was passed over: it waits there, not in the line.
    pub(crate) closed: Option<Box<Closed>>,
}

impl Entry {
    /// A job just accepted: `Scheduled` when it must wait for its time, else `Queued`.
    pub(crate) fn accept(new: Arc<NewJob>, seq: Seq, queue: usize, now: Timestamp) -> Self {
        let scheduled_at = new.start.due(now);
        let job = Job {
            new,
            status: if scheduled_at.is_some() { Status::Scheduled } else { Status::Queued },
            retries: 0,
            crashes: 0,
            cancel_requested: false,
            created_at: now,
            scheduled_at,
            started_at: None,
            finished_at: None,
            updated_at: now,
            progress: None,
            result: None,
            error: None,
            attempts: Vec::new(),
        };
        Self { job, seq, queue, token: UNCLAIMED, worker: None, expires: now, closed: None }
    }

    /// A job that does not run, as another store kept it.
    pub(crate) fn import(job: Job, seq: Seq, queue: usize, now: Timestamp) -> Self {
        Self { job, seq, queue, token: UNCLAIMED, worker: None, expires: now, closed: None }
    }

    /// Gives the job a new status, and the times that go with it.
    pub(crate) fn stand(&mut self, status: Status, now: Timestamp) {
        self.job.status = status;
        self.closed = None;
        self.job.finished_at = status.is_finished().then_some(now);
        if status != Status::Scheduled {
            self.job.scheduled_at = None;
        }
    }

    /// Puts the running attempt into the history. Its error, if any, becomes the job's.
    pub(crate) fn record(&mut self, outcome: AttemptOutcome, error: Option<JobError>, now: Timestamp) {
        if error.is_some() {
            self.job.error.clone_from(&error);
        }
        let attempt = self.attempt(outcome, error, now);
        push(&mut self.job.attempts, attempt);
    }

    /// The job as callers see it. The attempt that completed it needs no place in memory before somebody asks.
    pub(crate) fn view(&self) -> Job {
        let mut job = self.job.clone();
        if let (Status::Completed, Some(finished_at)) = (job.status, job.finished_at) {
            push(&mut job.attempts, self.attempt(AttemptOutcome::Completed, None, finished_at));
        }
        job
    }

    /// The moment from which on no attempt starts.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.job.new.expires_at(self.job.created_at)
    }

    /// Whether one more lost lease would make it poisoned.
    pub(crate) fn is_suspect(&self) -> bool {
        self.job.new.retry.is_suspect(self.job.crashes)
    }

    fn attempt(&self, outcome: AttemptOutcome, error: Option<JobError>, finished_at: Timestamp) -> Option<Attempt> {
        let number = self.job.retries + self.job.crashes + 1;
        let started_at = self.job.started_at?;
        Some(Attempt { number, started_at, finished_at, outcome, error, worker: self.worker? })
    }
}

/// Appends to a history, which loses its oldest attempt when it is full.
fn push(history: &mut Vec<Attempt>, attempt: Option<Attempt>) {
    if history.len() >= HISTORY_MAX {
        history.remove(0);
    }
    history.extend(attempt);
}

#[cfg(test)]
mod tests {
    use windlass_core::Payload;

    use super::*;

    fn running() -> Entry {
        let now = Timestamp::from_millis(1);
        let new = NewJob::build("Job", Payload::empty()).finish(now).expect("valid");
        let mut entry = Entry::accept(new.into(), 1, 0, now);
        entry.job.started_at = Some(now);
        entry.worker = Some(Incarnation::random());
        entry
    }

    #[test]
    fn a_full_history_loses_its_oldest_attempt() {
        let mut entry = running();
        for _ in 0..HISTORY_MAX + 2 {
            entry.record(AttemptOutcome::Failed, None, Timestamp::from_millis(2));
            entry.job.retries += 1;
        }
        entry.stand(Status::Completed, Timestamp::from_millis(3));
        let seen = entry.view().attempts;
        assert_eq!(seen.len(), HISTORY_MAX);
        assert_eq!(seen.first().map(|attempt| attempt.number), Some(4));
        assert_eq!(seen.last().map(|attempt| attempt.outcome), Some(AttemptOutcome::Completed));
    }

    #[test]
    fn an_attempt_without_an_error_leaves_the_one_before() {
        let mut entry = running();
        entry.record(AttemptOutcome::Failed, Some(JobError::new("X", "why")), Timestamp::from_millis(2));
        entry.record(AttemptOutcome::Canceled, None, Timestamp::from_millis(3));
        assert_eq!(entry.job.error, Some(JobError::new("X", "why")));
    }
}
