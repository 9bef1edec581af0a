//! A job's attempts: written when one ends without completing the job, read back with the job.

use rusqlite::{Connection, Row};
use windlass_core::limits::HISTORY_MAX;
use windlass_core::{Attempt, AttemptOutcome, JobError, Timestamp};
use windlass_store::codec;

use crate::fault::{Checked, Fault};
use crate::mirror::Running;
use crate::record;

const ATTEMPT_ADD: &str = include_str!("sql/attempt_add.sql");
const ATTEMPT_TRIM: &str = include_str!("sql/attempt_trim.sql");
const ATTEMPTS: &str = include_str!("sql/attempts.sql");

/// Adds the attempt of `running` that ended `at` this moment. Only the latest [`HISTORY_MAX`] stay.
pub(crate) fn add(
    conn: &Connection,
    running: &Running,
    at: Timestamp,
    outcome: AttemptOutcome,
    error: Option<&JobError>,
) -> Checked<()> {
    conn.prepare_cached(ATTEMPT_ADD)?.execute((
        running.seq,
        running.retries + running.crashes + 1,
        running.started_at.as_micros(),
        at.as_micros(),
        code(outcome),
        running.worker.as_bytes(),
        error.map(codec::seal).transpose()?,
    ))?;
    conn.prepare_cached(ATTEMPT_TRIM)?.execute((running.seq, HISTORY_MAX as i64))?;
    Ok(())
}

/// The attempts on record, oldest first.
pub(crate) fn read(conn: &Connection, seq: i64) -> Checked<Vec<Attempt>> {
    let mut statement = conn.prepare_cached(ATTEMPTS)?;
    let mut rows = statement.query([seq])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(attempt(row)?);
    }
    Ok(attempts)
}

fn attempt(row: &Row<'_>) -> Checked<Attempt> {
    let error = row.get_ref(5)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    Ok(Attempt {
        number: row.get(0)?,
        started_at: record::timestamp(row, 1)?,
        finished_at: record::timestamp(row, 2)?,
        outcome: outcome(row.get(3)?)?,
        worker: record::worker(row, 4)?,
        error: error.map(|sealed| codec::unseal("error", sealed)).transpose()?,
    })
}

/// Never renumber: files on disk hold it.
const fn code(outcome: AttemptOutcome) -> u8 {
    match outcome {
        AttemptOutcome::Completed => 1,
        AttemptOutcome::Failed => 2,
        AttemptOutcome::Crashed => 3,
        AttemptOutcome::Canceled => 4,
    }
}

fn outcome(number: u8) -> Checked<AttemptOutcome> {
    use AttemptOutcome as O;
    let found = [O::Completed, O::Failed, O::Crashed, O::Canceled].into_iter().find(|known| code(*known) == number);
    found.ok_or_else(|| Fault::corrupt("an attempt on record has an unknown outcome"))
}
