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
    let Running { started_at, worker, .. } = *running;
    let number = running.retries + running.crashes + 1;
    let attempt = Attempt { number, started_at, finished_at: at, outcome, error: error.cloned(), worker };
    append(conn, running.seq, &attempt)?;
    conn.prepare_cached(ATTEMPT_TRIM)?.execute((running.seq, HISTORY_MAX as i64))?;
    Ok(())
}

/// The whole history of a new job, which another store kept.
pub(crate) fn import(conn: &Connection, seq: i64, attempts: &[Attempt]) -> Checked<()> {
    attempts.iter().try_for_each(|attempt| append(conn, seq, attempt))
}

fn append(conn: &Connection, seq: i64, attempt: &Attempt) -> Checked<()> {
    conn.prepare_cached(ATTEMPT_ADD)?.execute((
        seq,
        attempt.number,
        attempt.started_at.as_micros(),
        attempt.finished_at.as_micros(),
        attempt.outcome.code(),
        attempt.worker.as_bytes(),
        attempt.error.as_ref().map(codec::seal).transpose()?,
    ))?;
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

fn outcome(code: u8) -> Checked<AttemptOutcome> {
    AttemptOutcome::from_code(code).ok_or_else(|| Fault::corrupt("an attempt on record has an unknown outcome"))
}
