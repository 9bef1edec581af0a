//! Import: jobs as another store kept them.

use windlass_core::{Job, Timestamp};
use windlass_store::{Imported, codec, is_importable};

use crate::fault::Checked;
use crate::ledger::Ledger;
use crate::submit::keep_job;
use crate::{expiry, history};

const IMPORT_STATE: &str = include_str!("sql/import_state.sql");

/// Keeps each job whose id is new just as it stands. Others are hinted at what waits.
pub(crate) fn import(ledger: &mut Ledger<'_>, jobs: &[Job]) -> Checked<Vec<Imported>> {
    let imported = jobs.iter().map(|job| take(ledger, job)).collect::<Checked<_>>()?;
    ledger.hint_at_work()?;
    Ok(imported)
}

fn take(ledger: &mut Ledger<'_>, job: &Job) -> Checked<Imported> {
    if !is_importable(job) {
        return Ok(Imported::Refused);
    }
    let seq = ledger.mirror.next_seq();
    if !keep_job(ledger.conn, seq, &job.new, job.created_at)? {
        return Ok(Imported::Existing);
    }
    ledger.mirror.take_seq();
    let known = ledger.mirror.queue(&job.new.queue);
    let queue = known.map_or_else(|| ledger.add_queue(&job.new.queue), Ok)?;
    keep_state(ledger, seq, queue.id(), job)?;
    history::import(ledger.conn, seq, &job.attempts)?;
    if job.status.is_waiting() {
        ledger.enter(queue, job.scheduled_at);
        expiry::note(ledger, &job.new, job.created_at)?;
    }
    Ok(Imported::Kept)
}

fn keep_state(ledger: &Ledger<'_>, seq: i64, queue: i64, job: &Job) -> Checked<()> {
    let micros = |moment: Option<Timestamp>| moment.map(Timestamp::as_micros);
    ledger.conn.prepare_cached(IMPORT_STATE)?.execute((
        seq,
        job.status.code(),
        queue,
        job.new.retry.is_suspect(job.crashes),
        job.new.priority.level(),
        ledger.now.as_micros().max(0),
        job.retries,
        job.crashes,
        job.updated_at.as_micros(),
        micros(job.scheduled_at),
        micros(job.started_at),
        job.progress.as_ref().map(codec::seal).transpose()?,
        job.error.as_ref().map(codec::seal).transpose()?,
    ))?;
    Ok(())
}
