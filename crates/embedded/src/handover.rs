//! Hand-over: jobs that are submitted by a turn that also claims start at once when nothing waits before them.
//!
//! The outcome is that of submitting and then claiming, but each job is written once, as running, in place of being
//! put into its line, found there and taken out again. Under load most jobs of an HTTP endpoint go this way.

use std::sync::Arc;

use rusqlite::CachedStatement;
use windlass_core::state::Event;
use windlass_core::{NewJob, Priority, Status};
use windlass_store::{Claim, ClaimedJob, Exchange, Token};

use crate::candidate::{Candidate, given_out, running};
use crate::fault::Checked;
use crate::ledger::{Ledger, target};
use crate::mirror::QueueRef;

const SUBMIT_STARTED: &str = include_str!("sql/submit_started.sql");

/// Jobs on their way from their submitter to a worker.
pub(crate) struct Handover<'a> {
    claim: &'a Claim,
    statement: CachedStatement<'a>,
    started: Vec<(Place, QueueRef, ClaimedJob)>,
}

/// Claims go by line, then by priority, then in order of submission.
type Place = (usize, Priority, i64);

impl<'a> Handover<'a> {
    /// `None` when a job must wait: one that stands in line already goes first, and so may one submitted later, unless
    /// there is room for all.
    pub(crate) fn prepare(ledger: &Ledger<'a>, turn: &'a Exchange) -> Checked<Option<Self>> {
        let Some(claim) = &turn.claim else { return Ok(None) };
        if turn.submit.is_empty() || turn.submit.len() > claim.limit {
            return Ok(None);
        }
        // One that comes later in the turn may take the place of one that has not been claimed yet.
        if turn.submit.iter().any(|new| new.unique().is_some()) {
            return Ok(None);
        }
        if !ledger.mirror.keeper.is_idle() || !turn.submit.iter().all(|new| claim.serves(&new.name)) {
            return Ok(None);
        }
        for line in claim.queues.iter().filter_map(|name| ledger.mirror.queue(name)) {
            if can_be_claimed(ledger, line)? {
                return Ok(None);
            }
        }
        let statement = ledger.conn.prepare_cached(SUBMIT_STARTED)?;
        Ok(Some(Self { claim, statement, started: Vec::with_capacity(turn.submit.len()) }))
    }

    /// Writes down where a job stands that has just been kept, if it can start.
    pub(crate) fn start(
        &mut self,
        ledger: &mut Ledger<'_>,
        seq: i64,
        queue: QueueRef,
        new: &Arc<NewJob>,
    ) -> Checked<bool> {
        let line = self.claim.queues.iter().position(|name| *name == new.queue);
        let (Some(line), None) = (line, new.start.due(ledger.now)) else { return Ok(false) };
        let status = target(Status::Queued, Event::Claim)?;
        let now = ledger.now;
        let token = Token(now.as_micros().max(0) as u64 + 1);
        let (level, worker) = (new.priority.level(), self.claim.worker.as_bytes());
        self.statement.execute((seq, status.code(), queue.id(), level, token.0 as i64, now.as_micros(), worker))?;
        let candidate = Candidate { new: new.clone(), created_at: now, seq, token, retries: 0, crashes: 0 };
        ledger.mirror.start(new.id, running(&candidate, self.claim, queue, token, now));
        ledger.mirror.enter(queue);
        self.started.push(((line, new.priority, seq), queue, given_out(candidate, token, now)));
        Ok(true)
    }

    /// The jobs in the order of a claim. Until now they counted as waiting, as jobs do that are claimed a moment later.
    pub(crate) fn finish(mut self, ledger: &mut Ledger<'_>) -> Vec<ClaimedJob> {
        self.started.sort_unstable_by_key(|(place, ..)| *place);
        let leave = |(_, queue, job)| {
            ledger.mirror.leave(queue);
            job
        };
        self.started.into_iter().map(leave).collect()
    }
}

/// Whether a job of the line is ready or due.
fn can_be_claimed(ledger: &Ledger<'_>, line: QueueRef) -> Checked<bool> {
    if ledger.mirror.waiting(line) == 0 {
        return Ok(false);
    }
    let due = ledger.earliest_due(line)?.is_some_and(|due| due <= ledger.now);
    Ok(due || ledger.any_ready(line)?)
}
