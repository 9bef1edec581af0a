//! Schedules: written by the writer with the jobs of their ticks, read by the readers.

use rusqlite::{Connection, Row};
use windlass_core::limits::PAGE_MAX;
use windlass_core::{ScheduleName, Timestamp};
use windlass_store::Hint;
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};

use crate::fault::{Checked, Fault};
use crate::ledger::Ledger;
use crate::record;
use crate::submit::{Of, submit};

const WRITE: &str = include_str!("sql/schedule_write.sql");
const FIND: &str = include_str!("sql/schedule_find.sql");
const LIST: &str = include_str!("sql/schedule_list.sql");
const DUE: &str = include_str!("sql/schedule_due.sql");
const REMOVE: &str = include_str!("sql/schedule_remove.sql");

/// Writes a schedule's next state and submits what goes with it, if nobody was faster.
pub(crate) fn write(ledger: &mut Ledger<'_>, write: &Write) -> Checked<Option<Revision>> {
    let former = find(ledger.conn, &write.name)?.map(|kept| kept.revision);
    if former != write.expected {
        return Ok(None);
    }
    let revision = Revision::following(former, ledger.now);
    let due = write.due.map(Timestamp::as_micros);
    ledger.conn.prepare_cached(WRITE)?.execute((write.name.as_str(), revision.0 as i64, due, &write.record))?;
    submit(ledger, &write.jobs, None, None, Of::Ourselves)?;
    ledger.hint_at_work()?;
    ledger.news.hints.push(Hint::Schedules);
    Ok(Some(revision))
}

pub(crate) fn remove(ledger: &Ledger<'_>, name: &ScheduleName) -> Checked<bool> {
    Ok(ledger.conn.prepare_cached(REMOVE)?.execute([name.as_str()])? > 0)
}

pub(crate) fn find(conn: &Connection, name: &ScheduleName) -> Checked<Option<Kept>> {
    let mut statement = conn.prepare_cached(FIND)?;
    let mut rows = statement.query([name.as_str()])?;
    rows.next()?.map(kept).transpose()
}

/// A page of them, by name.
pub(crate) fn list(conn: &Connection, after: Option<&ScheduleName>, limit: usize) -> Checked<Vec<Kept>> {
    let mut statement = conn.prepare_cached(LIST)?;
    let after = after.map_or("", ScheduleName::as_str);
    all(statement.query((after, limit.min(PAGE_MAX) as i64))?)
}

/// What is due, and when the next one is.
pub(crate) fn due(conn: &Connection, limit: usize, now: Timestamp) -> Checked<DueSchedules> {
    let limit = limit.min(PAGE_MAX);
    let mut statement = conn.prepare_cached(DUE)?;
    let mut schedules = all(statement.query([limit as i64 + 1])?)?;
    let is_due = |kept: &Kept| kept.due.is_some_and(|due| due <= now);
    let count = schedules.iter().take(limit).filter(|kept| is_due(kept)).count();
    let next = schedules.get(count).and_then(|kept| kept.due);
    schedules.truncate(count);
    Ok(DueSchedules { at: now, schedules, next })
}

fn all(mut rows: rusqlite::Rows<'_>) -> Checked<Vec<Kept>> {
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(kept(row)?);
    }
    Ok(all)
}

fn kept(row: &Row<'_>) -> Checked<Kept> {
    let name = ScheduleName::new(record::text(row, 0)?).map_err(|error| Fault::unreadable("schedule name", error))?;
    let due = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_micros);
    Ok(Kept { name, revision: Revision(row.get::<_, i64>(1)? as u64), due, record: record::blob(row, 3)?.to_owned() })
}
