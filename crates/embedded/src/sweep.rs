//! Sweep: what time alone does to jobs. Due ones become ready, expired leases are taken back, those that wait too long fail, old
//! ones are removed.

use windlass_core::state::Event;
use windlass_core::{AttemptOutcome, JobError, JobId, Status, Timestamp};
use windlass_store::{Hint, Retention, Swept, codec};

use crate::fault::Checked;
use crate::ledger::{Ledger, expect_one, target};
use crate::mirror::Running;
use crate::promote::promote;
use crate::{expiry, gates, history, unique};

const SWEEP_RECLAIM: &str = include_str!("sql/sweep_reclaim.sql");
const SWEEP_FINISHED: &str = include_str!("sql/sweep_finished.sql");
const PRUNE: [&str; 3] =
    [include_str!("sql/prune_state.sql"), include_str!("sql/prune_result.sql"), include_str!("sql/prune_job.sql")];

/// Does at most `limit` of each.
pub(crate) fn sweep(ledger: &mut Ledger<'_>, limit: usize, retention: Retention) -> Checked<Swept> {
    let mut swept = Swept { promoted: promote_all(ledger, limit)?, ..Swept::default() };
    let expired = ledger.mirror.expired(ledger.now, limit);
    for (id, running) in &expired {
        match reclaim(ledger, *id, running)? {
            Status::Failed => swept.quarantined += 1,
            Status::Canceled => swept.stopped += 1,
            _ => swept.reclaimed += 1,
        }
    }
    let (looked_at, too_late) = expiry::sweep(ledger, limit)?;
    swept.expired = too_late;
    swept.pruned = prune_all(ledger, limit, retention)?;
    gates::sweep(ledger)?;
    swept.more = limit > 0 && [swept.promoted, expired.len(), looked_at, swept.pruned].contains(&limit);
    if swept.promoted + swept.reclaimed > 0 {
        ledger.news.hints.push(Hint::Ready);
    }
    Ok(swept)
}

fn promote_all(ledger: &mut Ledger<'_>, limit: usize) -> Checked<usize> {
    let mut promoted = 0;
    for queue in ledger.mirror.queues() {
        if promoted < limit && ledger.mirror.waiting(queue) > 0 {
            promoted += promote(ledger, queue, limit - promoted)?;
        }
    }
    Ok(promoted)
}

fn reclaim(ledger: &mut Ledger<'_>, id: JobId, running: &Running) -> Checked<Status> {
    let crashes = running.crashes + 1;
    let poisoned = running.policy.is_poisoned(crashes);
    let event = if poisoned { Event::Quarantine } else { Event::Reclaim }.under_cancel(running.cancel_requested);
    let status = target(Status::InProgress, event)?;
    let error = if event == Event::Quarantine { JobError::poisoned(crashes) } else { JobError::crashed() };
    let now = ledger.now.as_micros();
    expect_one(ledger.conn.prepare_cached(SWEEP_RECLAIM)?.execute((
        running.seq,
        running.token.0 as i64,
        status.code(),
        crashes,
        running.policy.is_suspect(crashes),
        now,
        codec::seal(&error)?,
    ))?)?;
    history::add(ledger.conn, running, ledger.now, AttemptOutcome::Crashed, Some(&JobError::crashed()))?;
    ledger.mirror.stop(id);
    gates::end(ledger, id, running.queue, status)?;
    if status.is_waiting() {
        ledger.enter(running.queue, None);
    }
    Ok(status)
}

fn prune_all(ledger: &Ledger<'_>, limit: usize, retention: Retention) -> Checked<usize> {
    let mut pruned = 0;
    for status in [Status::Completed, Status::Canceled, Status::Failed] {
        let over = ledger.now.before(retention.of(status));
        pruned += prune(ledger, status, over, limit - pruned)?;
    }
    Ok(pruned)
}

fn prune(ledger: &Ledger<'_>, status: Status, over: Timestamp, limit: usize) -> Checked<usize> {
    let mut statement = ledger.conn.prepare_cached(SWEEP_FINISHED)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement.query_map((status.code(), over.as_micros(), limit), |row| row.get::<_, i64>(0))?;
    let found: Vec<i64> = found.collect::<Result<_, _>>()?;
    unique::sweep(ledger.conn, &found, ledger.now, limit)?;
    for sql in PRUNE {
        let mut remove = ledger.conn.prepare_cached(sql)?;
        for seq in &found {
            remove.execute([seq])?;
        }
    }
    Ok(found.len())
}
