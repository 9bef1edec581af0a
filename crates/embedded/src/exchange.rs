//! Exchange: settle, extend, submit and claim, in that order.

use windlass_store::{Claimed, Exchange, Exchanged};

use crate::claim::claim;
use crate::extend::extend;
use crate::fault::Checked;
use crate::ledger::Ledger;
use crate::settle::settle;
use crate::submit::submit;

/// Applies a whole turn. Others are hinted at what it left over.
pub(crate) fn exchange(ledger: &mut Ledger<'_>, turn: &Exchange) -> Checked<Exchanged> {
    let fates = settle(ledger, &turn.settle)?;
    let extended = extend(ledger, &turn.extend)?;
    let submitted = submit(ledger, &turn.submit, turn.queue_limit)?;
    let claimed = match &turn.claim {
        Some(wanted) => claim(ledger, wanted)?,
        None => Claimed::default(),
    };
    ledger.hint_at_work()?;
    Ok(Exchanged { fates, extended, submitted, claimed })
}
