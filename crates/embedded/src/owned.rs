//! Whose jobs wait: how many of each owner, and which of them makes room. Kept beside the file, while it is said of some owner how
//! many may wait, and read from the file when that begins.

use rusqlite::{Connection, OptionalExtension};
use windlass_core::{JobId, Owner};

use crate::fault::Checked;

const BEGIN: &str = include_str!("sql/owned_begin.sql");
const END: &str = include_str!("sql/owned_end.sql");
const WAITING: &str = include_str!("sql/owned_waiting.sql");
const FIRST: &str = include_str!("sql/owned_first.sql");

/// A job that waits, and the id of its line.
pub(crate) struct Waiting {
    pub(crate) id: JobId,
    pub(crate) queue: i64,
}

/// Begins to count, or ends, where that has changed.
pub(crate) fn count(conn: &Connection, before: bool, wanted: bool) -> Checked<()> {
    match (before, wanted) {
        (false, true) => conn.execute_batch(BEGIN)?,
        (true, false) => conn.execute_batch(END)?,
        _ => {}
    }
    Ok(())
}

/// How many jobs of an owner wait.
pub(crate) fn waiting(conn: &Connection, owner: &Owner) -> Checked<u64> {
    let mut statement = conn.prepare_cached(WAITING)?;
    let waiting: Option<i64> = statement.query_row([owner.as_str()], |row| row.get(0)).optional()?;
    Ok(waiting.map_or(0, i64::unsigned_abs))
}

/// The oldest of the least urgent.
pub(crate) fn first(conn: &Connection, owner: &Owner) -> Checked<Option<Waiting>> {
    let mut statement = conn.prepare_cached(FIRST)?;
    let found = statement
        .query_row([owner.as_str()], |row| Ok(Waiting { id: JobId::from_bytes(row.get(0)?), queue: row.get(1)? }));
    Ok(found.optional()?)
}
