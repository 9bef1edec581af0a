//! Promote: scheduled jobs whose time has come become ready.

use windlass_core::Status;
use windlass_core::state::Event;

use crate::candidate::due;
use crate::fault::Checked;
use crate::ledger::{Ledger, target};
use crate::mirror::QueueRef;
use crate::turns;

const PROMOTE: &str = include_str!("sql/promote.sql");

/// Makes at most `limit` due jobs of the line ready, the earliest first, and says how many.
pub(crate) fn promote(ledger: &mut Ledger<'_>, queue: QueueRef, limit: usize) -> Checked<usize> {
    debug_assert_eq!(target(Status::Scheduled, Event::Due).ok(), Some(Status::Queued), "promote.sql says so");
    let shared = ledger.mirror.shared(queue);
    let due = shared.map(|name| due(ledger, queue, &name, limit)).transpose()?;
    let mut statement = ledger.conn.prepare_cached(PROMOTE)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let promoted = statement.execute((queue.id(), ledger.now.as_micros(), limit))?;
    if promoted > 0 {
        ledger.news.became_ready(queue);
    }
    turns::line_up_all(ledger, queue, due.unwrap_or_default())?;
    Ok(promoted)
}
