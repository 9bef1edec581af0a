//! Exchange: settle, extend, submit and claim, in that order.

use windlass_store::{Claimed, Exchange, Exchanged};

use crate::claim::claim;
use crate::extend::extend;
use crate::fault::Checked;
use crate::handover::Handover;
use crate::ledger::Ledger;
use crate::settle::settle;
use crate::submit::{Of, submit};

/// Applies a whole turn. Others are hinted at what it left over.
pub(crate) fn exchange(ledger: &mut Ledger<'_>, turn: &Exchange) -> Checked<Exchanged> {
    let fates = settle(ledger, &turn.settle)?;
    let extended = extend(ledger, &turn.extend)?;
    let mut handover = Handover::prepare(ledger, turn)?;
    let submitted = submit(ledger, &turn.submit, turn.queue_limit, handover.as_mut(), Of::Callers)?;
    let handed_over = handover.map(|handover| handover.finish(ledger)).unwrap_or_default();
    let claimed = match &turn.claim {
        Some(wanted) => claim(ledger, wanted, handed_over)?,
        None => Claimed::default(),
    };
    ledger.hint_at_work()?;
    Ok(Exchanged { fates, extended, submitted, claimed })
}
