//! Claim: ready jobs go to a worker, each with a lease and a new token.

use std::time::Duration;

use windlass_core::{QueueName, Timestamp};
use windlass_store::{Claim, Claimed, ClaimedJob};

use crate::candidate::{Kind, ready, start};
use crate::fault::Checked;
use crate::gates;
use crate::ledger::Ledger;
use crate::mirror::QueueRef;
use crate::promote::promote;

/// Most due jobs of a line that one claim makes ready; the rest is due at once and comes with the next.
const PROMOTE_MAX: usize = 1_000;

/// Gives out up to `claim.limit` ready jobs: suspects first, then by priority and order of submission, the lines in
/// the order given. `jobs` are those handed over already.
pub(crate) fn claim(ledger: &mut Ledger<'_>, claim: &Claim, mut jobs: Vec<ClaimedJob>) -> Checked<Claimed> {
    let lines = lines_with_work(ledger, claim);
    for (queue, _) in &lines {
        promote(ledger, *queue, PROMOTE_MAX)?;
    }
    let mut early = take(ledger, claim, &lines, Kind::Suspects, &mut jobs)?;
    early |= take(ledger, claim, &lines, Kind::Others, &mut jobs)?;
    // First: where a line has no room, it says when to look again.
    let more = more(ledger, claim, &lines)?;
    // Who stopped early goes on at once.
    let next_due = if early { Some(Duration::ZERO) } else { next_due(ledger, claim, &lines)? };
    Ok(Claimed { jobs, next_due, more, ..Claimed::default() })
}

/// Lines in which nothing waits need no query at all.
fn lines_with_work(ledger: &Ledger<'_>, claim: &Claim) -> Vec<(QueueRef, QueueName)> {
    let known = claim.queues.iter().filter_map(|name| Some((ledger.mirror.queue(name)?, name.clone())));
    known.filter(|(queue, _)| ledger.mirror.waiting(*queue) > 0).collect()
}

fn take(
    ledger: &mut Ledger<'_>,
    claim: &Claim,
    lines: &[(QueueRef, QueueName)],
    kind: Kind,
    jobs: &mut Vec<ClaimedJob>,
) -> Checked<bool> {
    let mut early = false;
    let allowed = if kind == Kind::Suspects { claim.suspects.min(claim.limit) } else { claim.limit };
    for line @ (queue, name) in lines {
        if !ledger.mirror.keeper.is_idle() || claim.handlers.is_some() {
            early |= gates::take(ledger, claim, line, kind, allowed, jobs)?;
            continue;
        }
        let room = allowed.saturating_sub(jobs.len());
        if room == 0 {
            break;
        }
        let candidates = ready(ledger, *queue, name, kind, room)?;
        start(ledger, claim, *queue, candidates, jobs)?;
    }
    Ok(early)
}

fn next_due(ledger: &Ledger<'_>, claim: &Claim, lines: &[(QueueRef, QueueName)]) -> Checked<Option<Duration>> {
    let mut earliest: Option<Timestamp> = None;
    for (queue, name) in lines {
        let due = ledger.earliest_due(*queue)?;
        let look = ledger.mirror.keeper.next_look(name, claim, ledger.now);
        earliest = earliest.into_iter().chain(due).chain(look).min();
    }
    Ok(earliest.map(|due| ledger.now.until(due)))
}

fn more(ledger: &mut Ledger<'_>, claim: &Claim, lines: &[(QueueRef, QueueName)]) -> Checked<bool> {
    for (queue, name) in lines {
        if ledger.mirror.keeper.next_opening(name, claim).is_some_and(|at| at <= ledger.now) {
            return Ok(true);
        }
        if ledger.any_ready(*queue)? && ledger.mirror.keeper.room_for(name, ledger.now) > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
