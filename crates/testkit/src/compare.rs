//! What of two answers must be equal, and what the seam leaves open: the moment at which a due job turns from
//! `Scheduled` to `Queued`, what a canceled job keeps of the attempt that the cancellation ended, and where suspects
//! stand among the jobs of one claim.

use std::fmt::Debug;

use windlass_core::{Attempt, AttemptOutcome, Job, JobId, Status, Timestamp};
use windlass_store::{Claimed, ClaimedJob, Exchanged, Fate, Swept};

/// Why two answers differ.
pub type Difference = String;

/// `Ok` when the two are equal.
pub fn same<T: PartialEq + Debug>(what: &str, expected: &T, actual: &T) -> Result<(), Difference> {
    if expected == actual {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, got {actual:?}"))
}

/// Compares the answers to one turn. Tokens are each store's own. Where rules were set or claims were for some handlers (`ruled`), a store may ask to be asked
/// again sooner than it must.
pub fn exchanged(expected: &Exchanged, actual: &Exchanged, ruled: bool) -> Result<(), Difference> {
    same("number of fates", &expected.fates.len(), &actual.fates.len())?;
    for (expected, actual) in expected.fates.iter().zip(&actual.fates) {
        fate(*expected, *actual)?;
    }
    same("extended", &expected.extended, &actual.extended)?;
    same("submitted", &expected.submitted, &actual.submitted)?;
    claimed(&expected.claimed, &actual.claimed)?;
    if ruled {
        return comes_back(&expected.claimed, &actual.claimed);
    }
    same("more", &expected.claimed.more, &actual.claimed.more)?;
    same("next_due", &expected.claimed.next_due, &actual.claimed.next_due)
}

/// Nobody waits for a job longer than it has to.
fn comes_back(expected: &Claimed, actual: &Claimed) -> Result<(), Difference> {
    let late = match (expected.next_due, actual.next_due) {
        (Some(expected), Some(actual)) => actual > expected,
        (expected, actual) => expected.is_some() && actual.is_none(),
    };
    if actual.more || (!expected.more && !late) {
        return Ok(());
    }
    Err(format!("comes back too late: expected {expected:?}, got {actual:?}"))
}

/// A delay of zero is over at once, so either waiting status is right for it.
fn fate(expected: Fate, actual: Fate) -> Result<(), Difference> {
    let alike = match (expected, actual) {
        (Fate::Settled(expected), Fate::Settled(actual)) | (Fate::Repeated(expected), Fate::Repeated(actual)) => {
            expected == actual || (expected.is_waiting() && actual.is_waiting())
        }
        (expected, actual) => expected == actual,
    };
    if alike { Ok(()) } else { same("fate", &expected, &actual) }
}

fn claimed(expected: &Claimed, actual: &Claimed) -> Result<(), Difference> {
    for suspects in [false, true] {
        let of_kind = |claimed: &Claimed| -> Vec<JobId> {
            let jobs = claimed.jobs.iter().filter(|job| job.is_suspect() == suspects);
            jobs.map(|job| job.lease.id).collect()
        };
        same("claimed jobs", &of_kind(expected), &of_kind(actual))?;
    }
    claimed_by_both(expected, actual).try_for_each(|(expected, actual)| handed_out(expected, actual))
}

/// The jobs that both sides handed out, paired by id.
pub fn claimed_by_both<'a>(
    expected: &'a Claimed,
    actual: &'a Claimed,
) -> impl Iterator<Item = (&'a ClaimedJob, &'a ClaimedJob)> {
    let find = |id: JobId| actual.jobs.iter().find(move |job| job.lease.id == id);
    expected.jobs.iter().filter_map(move |expected| Some((expected, find(expected.lease.id)?)))
}

fn handed_out(expected: &ClaimedJob, actual: &ClaimedJob) -> Result<(), Difference> {
    same("claimed job", &expected.new, &actual.new)?;
    same("claimed retries", &expected.retries, &actual.retries)?;
    same("claimed crashes", &expected.crashes, &actual.crashes)?;
    same("claimed created_at", &expected.created_at, &actual.created_at)?;
    same("claimed started_at", &expected.started_at, &actual.started_at)
}

/// Compares sweeps. A claim may have promoted jobs before, so only more promotions than possible are wrong.
pub fn swept(due: usize, expected: &Swept, actual: &Swept) -> Result<(), Difference> {
    if actual.promoted > due {
        return Err(format!("promoted {} jobs although {due} were due", actual.promoted));
    }
    same("swept", &Swept { promoted: actual.promoted, ..*expected }, actual)
}

/// Compares two jobs, or two absences.
pub fn found(now: Timestamp, expected: Option<&Job>, actual: Option<&Job>) -> Result<(), Difference> {
    match (expected, actual) {
        (Some(expected), Some(actual)) => job(now, expected, actual)
            .map_err(|difference| format!("{difference}\nexpected {expected:#?}\ngot {actual:#?}")),
        (None, None) => Ok(()),
        _ => same("job", &expected, &actual),
    }
}

/// Compares all that the seam promises of a job.
pub fn job(now: Timestamp, expected: &Job, actual: &Job) -> Result<(), Difference> {
    same("new", &expected.new, &actual.new)?;
    standing(now, expected, actual)?;
    same("retries", &expected.retries, &actual.retries)?;
    same("crashes", &expected.crashes, &actual.crashes)?;
    same("created_at", &expected.created_at, &actual.created_at)?;
    same("finished_at", &expected.finished_at, &actual.finished_at)?;
    same("result", &expected.result, &actual.result)?;
    if actual.updated_at < actual.created_at || actual.updated_at > now {
        return Err(format!("updated_at {} lies outside of the job's life", actual.updated_at));
    }
    attempt_in_hand(expected, actual)?;
    history(expected, actual)
}

fn standing(now: Timestamp, expected: &Job, actual: &Job) -> Result<(), Difference> {
    let is_ready = |job: &Job| job.status.is_waiting() && job.scheduled_at.is_none_or(|due| due <= now);
    if is_ready(expected) && is_ready(actual) {
        return Ok(());
    }
    same("status", &expected.status, &actual.status)?;
    same("scheduled_at", &expected.scheduled_at, &actual.scheduled_at)
}

/// What the latest attempt left behind, where the status makes it meaningful.
fn attempt_in_hand(expected: &Job, actual: &Job) -> Result<(), Difference> {
    if matches!(expected.status, Status::InProgress | Status::Completed | Status::Failed) {
        same("started_at", &expected.started_at, &actual.started_at)?;
        same("progress", &expected.progress, &actual.progress)?;
    }
    if !expected.status.is_finished() {
        same("cancel_requested", &expected.cancel_requested, &actual.cancel_requested)?;
    }
    let code = |job: &Job| job.error.as_ref().map(|error| error.code.clone());
    match expected.status {
        Status::Completed => same("error", &None, &actual.error),
        Status::Failed => same("error code", &code(expected), &code(actual)),
        Status::Scheduled if expected.attempts.last().is_some_and(|last| last.outcome == AttemptOutcome::Failed) => {
            same("error", &expected.error, &actual.error)
        }
        _ => Ok(()),
    }
}

/// The attempt that a cancellation ended may be told in several ways, or not at all.
fn history(expected: &Job, actual: &Job) -> Result<(), Difference> {
    if expected.status != Status::Canceled {
        return same("attempts", &expected.attempts, &actual.attempts);
    }
    let before = |attempts: &[Attempt]| {
        let settled = [AttemptOutcome::Completed, AttemptOutcome::Failed];
        attempts.iter().take(expected.attempts.len().saturating_sub(1)).filter(|a| settled.contains(&a.outcome)).count()
    };
    same("attempts before the cancellation", &before(&expected.attempts), &before(&actual.attempts))
}
