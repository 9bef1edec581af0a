//! Extend: leases that are kept, in memory; only news of progress touches the disk.

use windlass_store::{Extend, Extension, codec};

use crate::fault::Checked;
use crate::ledger::{Ledger, expect_one};
use crate::mirror::Running;

const EXTEND_PROGRESS: &str = include_str!("sql/extend_progress.sql");

/// Keeps each lease that is good, and says so.
pub(crate) fn extend(ledger: &mut Ledger<'_>, extends: &[Extend]) -> Checked<Vec<Extension>> {
    extends.iter().map(|extend| extend_one(ledger, extend)).collect()
}

fn extend_one(ledger: &mut Ledger<'_>, extend: &Extend) -> Checked<Extension> {
    let Some(running) = ledger.mirror.held(extend.lease, ledger.now) else { return Ok(Extension::Lost) };
    if let Some(progress) = &extend.progress {
        let mut statement = ledger.conn.prepare_cached(EXTEND_PROGRESS)?;
        let sealed = codec::seal(progress)?;
        let token = running.token.0 as i64;
        expect_one(statement.execute((running.seq, token, sealed, ledger.now.as_micros()))?)?;
    }
    ledger.mirror.start(extend.lease.id, Running { expires: ledger.now.after(extend.duration), ..running });
    Ok(if running.cancel_requested { Extension::CancelRequested } else { Extension::Kept })
}
