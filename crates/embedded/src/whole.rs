//! A job with everything that is known of it, read through the `jobs` view.

use rusqlite::{Connection, Row};
use windlass_core::{Job, JobId, Owner, Payload, QueueName, Status, Timestamp};
use windlass_store::{Scope, codec};

use crate::fault::{Checked, Fault};
use crate::{history, record};

const FIND: &str = include_str!("sql/find.sql");

/// A job and its number in the file.
pub(crate) struct Found {
    pub(crate) seq: i64,
    pub(crate) job: Job,
}

/// The job of that id, if it exists and `scope` may see it.
pub(crate) fn find(conn: &Connection, id: JobId, scope: &Scope) -> Checked<Option<Found>> {
    let mut statement = conn.prepare_cached(FIND)?;
    let mut rows = statement.query((id.as_bytes(), owner_in(scope)))?;
    rows.next()?.map(|row| read(conn, row)).transpose()
}

/// The owner that a query asks for; `None` for everybody.
pub(crate) fn owner_in(scope: &Scope) -> Option<&str> {
    match scope {
        Scope::Everything => None,
        Scope::Of(owner) => Some(Owner::as_str(owner)),
    }
}

/// A row of the `jobs` view. Columns go by their place, which the golden schema pins.
pub(crate) fn read(conn: &Connection, row: &Row<'_>) -> Checked<Found> {
    let queue = QueueName::new(record::text(row, 8)?).map_err(|error| Fault::unreadable("queue name", error))?;
    let (new, created_at) = record::new_job(row, queue)?;
    let seq = row.get(9)?;
    let mut job = Job {
        new: new.into(),
        status: record::status(row, 10)?,
        retries: record::counter(row, 11)?,
        crashes: record::counter(row, 12)?,
        cancel_requested: row.get(13)?,
        created_at,
        scheduled_at: optional_timestamp(row, 14)?,
        started_at: optional_timestamp(row, 15)?,
        finished_at: optional_timestamp(row, 16)?,
        updated_at: record::timestamp(row, 17)?,
        progress: sealed(row, 19)?.map(|bytes| codec::unseal("progress", bytes)).transpose()?,
        result: None,
        error: sealed(row, 20)?.map(|bytes| codec::unseal("error", bytes)).transpose()?,
        attempts: history::read(conn, seq)?,
    };
    if job.status == Status::Completed {
        job.result = Some(result(row)?);
        if !job.append_completion(record::worker(row, 18)?) {
            return Err(Fault::corrupt("a completed job never started"));
        }
    }
    Ok(Found { seq, job })
}

fn optional_timestamp(row: &Row<'_>, column: usize) -> Checked<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

fn sealed<'r>(row: &'r Row<'_>, column: usize) -> Checked<Option<&'r [u8]>> {
    Ok(row.get_ref(column)?.as_blob_or_null().map_err(rusqlite::Error::from)?)
}

fn result(row: &Row<'_>) -> Checked<Payload> {
    let Some(content_type) = row.get::<_, Option<String>>(21)? else { return Ok(Payload::empty()) };
    let result = codec::payload_of(content_type, record::blob(row, 22)?);
    if record::payload_sum(&result) != row.get::<_, u32>(23)? {
        return Err(Fault::corrupt("a result on record does not match its checksum"));
    }
    Ok(result)
}
