//! Sweep: what time alone does to jobs. Every process may do it at any time: each step is one script.

use redis::Value;
use windlass_core::state::{self, Event, Step};
use windlass_core::{JobError, RetryPolicy, Status};
use windlass_store::{Retention, Swept, codec};

use crate::answer::{bytes, groups, list, number};
use crate::asking::Asking;
use crate::expiry;
use crate::fault::{Checked, Fault};
use crate::record::micros;
use crate::submit::status;

/// Does at most `limit` of each, with what was `swept` elsewhere already.
pub(crate) async fn sweep(asking: &Asking<'_>, limit: usize, retention: Retention, mut swept: Swept) -> Checked<Swept> {
    let most = limit - swept.promoted;
    let promoted = asking.run(&asking.scripts.promote, |question| {
        question.arg(most);
    });
    swept.promoted += count(&promoted.await?)?;
    let most = limit - (swept.reclaimed + swept.quarantined + swept.stopped);
    let lost = reclaim(asking, most, &mut swept).await?;
    let left = limit - swept.expired;
    let (looked_at, expired) = expiry::sweep(asking, left).await?;
    swept.expired += expired;
    for status in [Status::Completed, Status::Failed] {
        swept.pruned += prune(asking, status, retention, limit - swept.pruned).await?;
    }
    swept.more |= limit > 0 && (swept.promoted == limit || lost == most || looked_at == left || swept.pruned == limit);
    Ok(swept)
}

async fn prune(asking: &Asking<'_>, status: Status, retention: Retention, most: usize) -> Checked<usize> {
    let answer = asking.run(&asking.scripts.prune, |question| {
        question.arg(u8::from(status == Status::Failed)).arg(micros(retention.of(status))).arg(most);
    });
    count(&answer.await?)
}

fn count(answer: &Value) -> Checked<usize> {
    Ok(usize::try_from(number(answer)?).unwrap_or(0))
}

/// A lease that ran out, and what becomes of its job.
struct Lost {
    id: Vec<u8>,
    token: i64,
    status: u8,
    suspect: bool,
    error: Vec<u8>,
}

impl Lost {
    fn judge([id, token, crashes, max_crashes]: [Value; 4]) -> Checked<Self> {
        let counted = |value| Ok::<_, Fault>(u32::try_from(number(value)?).unwrap_or(u32::MAX));
        let crashes = counted(&crashes)?.saturating_add(1);
        let policy = RetryPolicy { max_crashes: counted(&max_crashes)?, ..RetryPolicy::default() };
        let event = if policy.is_poisoned(crashes) { Event::Quarantine } else { Event::Reclaim };
        let error = if event == Event::Quarantine { JobError::poisoned(crashes) } else { JobError::crashed() };
        Ok(Self {
            id: bytes(id)?,
            token: number(&token)?,
            status: target(event)?,
            suspect: policy.is_suspect(crashes),
            error: codec::seal(&error)?,
        })
    }
}

/// Looks, decides, and writes what is still so: whoever was faster, a settlement, a cancellation or another sweep, has
/// won.
async fn reclaim(asking: &Asking<'_>, most: usize, swept: &mut Swept) -> Checked<usize> {
    let lost = asking.run(&asking.scripts.lost, |question| {
        question.arg(most);
    });
    let lost = groups::<4>(lost.await?)?.into_iter().map(Lost::judge).collect::<Checked<Vec<_>>>()?;
    if lost.is_empty() {
        return Ok(0);
    }
    for went in list(take_back(asking, &lost).await?)? {
        match status(number(&went)?)? {
            Status::Failed => swept.quarantined += 1,
            Status::Canceled => swept.stopped += 1,
            _ => swept.reclaimed += 1,
        }
    }
    Ok(lost.len())
}

async fn take_back(asking: &Asking<'_>, lost: &[Lost]) -> Checked<Value> {
    let stop_status = target(Event::Reclaim.under_cancel(true))?;
    let crashed = codec::seal(&JobError::crashed())?;
    asking
        .run(&asking.scripts.reclaim, |question| {
            question.arg(stop_status).arg(&crashed);
            for one in lost {
                question.arg(&one.id).arg(one.token).arg(one.status).arg(u8::from(one.suspect)).arg(&one.error);
            }
        })
        .await
}

/// Where `event` takes a running job.
fn target(event: Event) -> Checked<u8> {
    match state::next(Status::InProgress, event) {
        Some(Step::To(status)) => Ok(status.code()),
        _ => Err(Fault::corrupt(format!("{event:?} cannot happen to a running job"))),
    }
}
