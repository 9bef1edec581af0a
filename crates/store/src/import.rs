//! Taking in what another store kept.

use async_trait::async_trait;
use windlass_core::limits::HISTORY_MAX;
use windlass_core::{AttemptOutcome, Job, Status};

use crate::error::Result;

/// Takes in jobs as another store kept them, for moves from one store to another.
#[async_trait]
pub trait Import: Send + Sync {
    /// Keeps each job whose id is new just as it stands: its input, status, times, counters, progress, error and history.
    /// The jobs are accepted in the order given, behind those that are here, and whatever room a queue has. What became of
    /// each, once that is durable; where the whole call fails, nothing was kept.
    async fn import(&self, jobs: Vec<Job>) -> Result<Vec<Imported>>;
}

/// What became of a job that was to be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Imported {
    /// It is here now.
    Kept,
    /// There is a job of this id already, the same or another; nothing changed.
    Existing,
    /// It is not [`is_importable`]; nothing changed.
    Refused,
}

/// Whether another store can take `job` over: it is `Queued`, `Scheduled` or `Failed`, and what it says of itself goes
/// together. A running job belongs to its worker until it is settled.
pub fn is_importable(job: &Job) -> bool {
    let (due, finished) = (job.scheduled_at.is_some(), job.finished_at.is_some());
    let end_is_last_change = job.finished_at == Some(job.updated_at);
    let status_fits = match job.status {
        Status::Queued => !due && !finished,
        Status::Scheduled => due && !finished,
        Status::Failed => !due && end_is_last_change,
        Status::InProgress | Status::Completed | Status::Canceled => false,
    };
    let ended_well = |outcome| outcome == AttemptOutcome::Completed;
    status_fits
        && !job.cancel_requested
        && job.result.is_none()
        && job.attempts.len() <= HISTORY_MAX
        && !job.attempts.iter().any(|attempt| ended_well(attempt.outcome))
}
