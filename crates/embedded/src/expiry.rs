//! Expiry: jobs that wait past the moment from which on they are not worth running.

use windlass_core::state::Event;
use windlass_core::{JobError, JobId, NewJob, Timestamp};
use windlass_store::expiry::{Look, Note, look};
use windlass_store::{Scope, codec};

use crate::fault::Checked;
use crate::gates;
use crate::ledger::{Ledger, expect_one, target};
use crate::whole::{self, Found};

const NOTE: &str = include_str!("sql/expiring_note.sql");
const DUE: &str = include_str!("sql/expiring_due.sql");
const FORGET: &str = include_str!("sql/expiring_forget.sql");
const EXPIRE: &str = include_str!("sql/expire.sql");

/// Notes when to look at a job that was accepted at `accepted`, if it expires.
pub(crate) fn note(ledger: &Ledger<'_>, new: &NewJob, accepted: Timestamp) -> Checked<()> {
    let Some(note) = Note::of_accepted(new, accepted) else { return Ok(()) };
    note_at(ledger, new.id, note.moment(ledger.now))
}

fn note_at(ledger: &Ledger<'_>, id: JobId, at: Timestamp) -> Checked<()> {
    ledger.conn.prepare_cached(NOTE)?.execute((at.as_micros(), id.as_bytes()))?;
    Ok(())
}

/// Looks at no more than `limit` jobs. How many that were, and how many have failed.
pub(crate) fn sweep(ledger: &mut Ledger<'_>, limit: usize) -> Checked<(usize, usize)> {
    let due = due(ledger, limit)?;
    let mut expired = 0;
    for (at, id) in &due {
        ledger.conn.prepare_cached(FORGET)?.execute((at, id.as_bytes()))?;
        let Some(found) = whole::find(ledger.conn, *id, &Scope::Everything)? else { continue };
        let expires_at = found.job.new.expires_at(found.job.created_at);
        match look(found.job.status, expires_at, ledger.now) {
            Look::Forget => {}
            Look::Later(at) => note_at(ledger, *id, at)?,
            Look::Expire(error) => {
                expire(ledger, &found, &error)?;
                expired += 1;
            }
        }
    }
    Ok((due.len(), expired))
}

fn due(ledger: &Ledger<'_>, limit: usize) -> Checked<Vec<(i64, JobId)>> {
    let mut statement = ledger.conn.prepare_cached(DUE)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let due = statement
        .query_map((ledger.now.as_micros(), limit), |row| Ok((row.get(0)?, JobId::from_bytes(row.get(1)?))))?;
    Ok(due.collect::<Result<_, _>>()?)
}

fn expire(ledger: &mut Ledger<'_>, found: &Found, error: &JobError) -> Checked<()> {
    let (from, now) = (found.job.status, ledger.now.as_micros());
    let to = target(from, Event::Expire)?;
    let mut statement = ledger.conn.prepare_cached(EXPIRE)?;
    expect_one(statement.execute((found.seq, to.code(), now, from.code(), codec::seal(error)?))?)?;
    let queue = ledger.queue_of(&found.job)?;
    ledger.mirror.leave(queue);
    gates::withdraw(ledger, queue, found.seq, &found.job.new)
}
