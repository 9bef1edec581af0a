//! Cancel and replay: what people do to single jobs.

use windlass_core::state::{Event, Step, next};
use windlass_core::{Job, JobId, Status};
use windlass_store::{Canceled, Hint, Replayed, Scope};

use crate::fault::{Checked, Fault};
use crate::ledger::{Ledger, expect_one};
use crate::whole::{self, Found};
use crate::{expiry, gates};

const CANCEL: &str = include_str!("sql/cancel.sql");
const CANCEL_REQUEST: &str = include_str!("sql/cancel_request.sql");
const REPLAY: &str = include_str!("sql/replay.sql");

/// Cancels a job that does not run, or asks a running handler to stop. `None` when `scope` sees no such job.
pub(crate) fn cancel(ledger: &mut Ledger<'_>, id: JobId, scope: &Scope) -> Checked<Option<Canceled>> {
    let Some(found) = whole::find(ledger.conn, id, scope)? else { return Ok(None) };
    Ok(Some(match next(found.job.status, Event::Cancel) {
        Some(Step::To(status)) => Canceled::Done(end(ledger, &found, status)?),
        Some(Step::RequestCancel) => Canceled::Requested(request(ledger, found)?),
        None => Canceled::TooLate(Box::new(found.job)),
    }))
}

fn end(ledger: &mut Ledger<'_>, found: &Found, status: Status) -> Checked<Box<Job>> {
    let mut statement = ledger.conn.prepare_cached(CANCEL)?;
    let (now, from) = (ledger.now.as_micros(), found.job.status);
    expect_one(statement.execute((found.seq, status.code(), now, from.code()))?)?;
    if from.is_waiting() {
        let queue = ledger.queue_of(&found.job)?;
        ledger.mirror.leave(queue);
        gates::withdraw(ledger, queue, found.seq, &found.job.new)?;
    }
    reread(ledger, found.job.new.id)
}

/// The hint goes out again with every request: the first may have been lost.
fn request(ledger: &mut Ledger<'_>, found: Found) -> Checked<Box<Job>> {
    let id = found.job.new.id;
    ledger.news.hints.push(Hint::CancelRequested(id));
    if found.job.cancel_requested {
        return Ok(Box::new(found.job));
    }
    let mut statement = ledger.conn.prepare_cached(CANCEL_REQUEST)?;
    expect_one(statement.execute((found.seq, ledger.now.as_micros()))?)?;
    ledger.mirror.request_cancel(id);
    reread(ledger, id)
}

/// Sends a dead letter round again. `None` when `scope` sees no such job.
pub(crate) fn replay(ledger: &mut Ledger<'_>, id: JobId, scope: &Scope) -> Checked<Option<Replayed>> {
    let Some(found) = whole::find(ledger.conn, id, scope)? else { return Ok(None) };
    let Some(Step::To(status)) = next(found.job.status, Event::Replay) else {
        return Ok(Some(Replayed::NotFailed(Box::new(found.job))));
    };
    let mut statement = ledger.conn.prepare_cached(REPLAY)?;
    expect_one(statement.execute((found.seq, status.code(), ledger.now.as_micros()))?)?;
    let queue = ledger.queue_of(&found.job)?;
    ledger.enter(queue, None);
    expiry::note(ledger, &found.job.new, found.job.created_at)?;
    ledger.news.hints.push(Hint::Ready);
    Ok(Some(Replayed::Done(reread(ledger, id)?)))
}

fn reread(ledger: &Ledger<'_>, id: JobId) -> Checked<Box<Job>> {
    let found = whole::find(ledger.conn, id, &Scope::Everything)?;
    found.map(|found| Box::new(found.job)).ok_or_else(|| Fault::corrupt("a job on record has gone"))
}
