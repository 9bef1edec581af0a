//! Unique jobs: who holds a key, and what becomes of the next one.

use rusqlite::Connection;
use windlass_core::unique::{Holder, States, Verdict};
use windlass_core::{JobId, NewJob, QueueName, Status, Timestamp, Uniqueness};

use crate::fault::{Checked, Fault};
use crate::record;

const FIND: &str = include_str!("sql/holder_find.sql");
const HOLD: &str = include_str!("sql/holder_hold.sql");
const EXTEND: &str = include_str!("sql/holder_extend.sql");
const ANY: &str = include_str!("sql/holder_any.sql");
const PRUNE: &str = include_str!("sql/holder_prune.sql");
const SWEEP: &str = include_str!("sql/holder_sweep.sql");

/// What becomes of a unique job.
pub(crate) enum Way {
    /// It is accepted.
    Free,
    /// This one stands.
    Taken(JobId),
    /// It is accepted in place of this one, which waits in that line, or runs.
    InPlaceOf(JobId, Option<QueueName>),
}

/// Decides; a period that is extended begins anew.
pub(crate) fn way(conn: &Connection, unique: &Uniqueness, now: Timestamp) -> Checked<Way> {
    let mut statement = conn.prepare_cached(FIND)?;
    let mut rows = statement.query([unique.key.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(Way::Free) };
    let id = JobId::from_bytes(row.get(0)?);
    let status = row.get::<_, Option<u8>>(3)?.map(known).transpose()?;
    let until = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_micros);
    let holder = Holder { states: States::from_bits(row.get(1)?), until, status };
    match unique.meets(holder, now) {
        Verdict::Free => Ok(Way::Free),
        Verdict::Replaces if status.is_some_and(Status::is_waiting) => {
            let queue =
                QueueName::new(record::text(row, 4)?).map_err(|error| Fault::unreadable("queue name", error))?;
            Ok(Way::InPlaceOf(id, Some(queue)))
        }
        Verdict::Replaces => Ok(Way::InPlaceOf(id, None)),
        Verdict::Stands => {
            if unique.extends {
                let until = unique.until(now).map(Timestamp::as_micros);
                conn.prepare_cached(EXTEND)?.execute((unique.key.as_bytes(), until))?;
            }
            Ok(Way::Taken(id))
        }
    }
}

fn known(code: u8) -> Checked<Status> {
    Status::from_code(code).ok_or_else(|| Fault::corrupt("a job on record has an unknown status"))
}

/// A job that was accepted at `now` holds its key.
pub(crate) fn hold(conn: &Connection, seq: i64, new: &NewJob, now: Timestamp) -> Checked<()> {
    let Some(unique) = new.unique() else { return Ok(()) };
    let until = unique.until(now).map(Timestamp::as_micros);
    let mut statement = conn.prepare_cached(HOLD)?;
    statement.execute((unique.key.as_bytes(), seq, new.id.as_bytes(), unique.states.bits(), until))?;
    Ok(())
}

/// Forgets what jobs that are removed held, and at most `limit` keys whose period is over.
pub(crate) fn sweep(conn: &Connection, removed: &[i64], now: Timestamp, limit: i64) -> Checked<()> {
    if !conn.prepare_cached(ANY)?.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(());
    }
    let mut prune = conn.prepare_cached(PRUNE)?;
    for seq in removed {
        prune.execute([seq])?;
    }
    conn.prepare_cached(SWEEP)?.execute((now.as_micros(), limit))?;
    Ok(())
}
