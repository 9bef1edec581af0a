//! What becomes of an attempt that runs longer than it may.

use std::time::{Duration, Instant};

use windlass_core::retry::Verdict;
use windlass_core::{ErrorClass, JobError, NewJob, Timestamp};
use windlass_store::{ClaimedJob, Outcome};

use crate::settings::Settings;

/// An attempt's time limit, and when its patience with a handler that does not let go ends too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overtime {
    pub(crate) limit: Duration,
    pub(crate) over: Instant,
    retries: u32,
    /// The job's deadline, where that is what ends the attempt.
    deadline: Option<Timestamp>,
}

impl Overtime {
    /// For an attempt that starts at `now`.
    pub(crate) fn of(claimed: &ClaimedJob, settings: &Settings, now: Instant) -> Self {
        let limit = claimed.new.timeout.unwrap_or(settings.job_timeout);
        let deadline = claimed.new.deadline().map(|deadline| (deadline, claimed.started_at.until(deadline)));
        let deadline = deadline.filter(|(_, left)| *left < limit);
        let limit = deadline.map_or(limit, |(_, left)| left);
        Self {
            limit,
            over: now + limit + settings.cancel_grace,
            retries: claimed.retries,
            deadline: deadline.map(|it| it.0),
        }
    }

    /// Whether the attempt was short of time before it began, because the whole job was.
    pub(crate) fn is_deadline(&self) -> bool {
        self.deadline.is_some()
    }

    /// What the job is settled with then.
    pub(crate) fn outcome(&self, job: &NewJob) -> Outcome {
        if let Some(deadline) = self.deadline {
            return Outcome::Fail(JobError::expired(deadline));
        }
        let message = format!("the handler ran longer than its limit of {:?}", self.limit);
        let error = JobError::new(JobError::TIMEOUT, message);
        match job.retry.judge(ErrorClass::Transient, self.retries, fastrand::f64()) {
            Verdict::Retry(delay) => Outcome::Retry { delay, error },
            Verdict::Fail => Outcome::Fail(error),
        }
    }
}
