//! Claim: ready jobs go to a worker, each with a lease and a new token.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Row;
use windlass_core::state::Event;
use windlass_core::{NewJob, QueueName, Status, Timestamp};
use windlass_store::{Claim, Claimed, ClaimedJob, Lease, Token};

use crate::fault::Checked;
use crate::ledger::{Ledger, expect_one, target};
use crate::mirror::{QueueRef, Running};
use crate::promote::promote;
use crate::record;

const CLAIM_READY: &str = include_str!("sql/claim_ready.sql");
const CLAIM_START: &str = include_str!("sql/claim_start.sql");

/// Most due jobs of a line that one claim makes ready; the rest is due at once and comes with the next.
const PROMOTE_MAX: usize = 1_000;

/// Gives out up to `claim.limit` ready jobs: suspects first, then by priority and order of submission, the lines in
/// the order given. `jobs` are those handed over already.
pub(crate) fn claim(ledger: &mut Ledger<'_>, claim: &Claim, mut jobs: Vec<ClaimedJob>) -> Checked<Claimed> {
    let lines = lines_with_work(ledger, claim);
    for (queue, _) in &lines {
        promote(ledger, *queue, PROMOTE_MAX)?;
    }
    take(ledger, claim, &lines, Kind::Suspects, &mut jobs)?;
    take(ledger, claim, &lines, Kind::Others, &mut jobs)?;
    Ok(Claimed { jobs, next_due: next_due(ledger, &lines)?, more: more(ledger, &lines)?, ..Claimed::default() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Others = 0,
    Suspects = 1,
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
) -> Checked<()> {
    let allowed = if kind == Kind::Suspects { claim.suspects.min(claim.limit) } else { claim.limit };
    for (queue, name) in lines {
        let room = allowed.saturating_sub(jobs.len());
        if room == 0 {
            break;
        }
        let candidates = ready(ledger, *queue, name, kind, room)?;
        start(ledger, claim, *queue, candidates, jobs)?;
    }
    Ok(())
}

/// A job about to be given out.
pub(crate) struct Candidate {
    pub(crate) new: Arc<NewJob>,
    pub(crate) created_at: Timestamp,
    pub(crate) seq: i64,
    pub(crate) token: Token,
    pub(crate) retries: u32,
    pub(crate) crashes: u32,
}

fn ready(ledger: &Ledger<'_>, queue: QueueRef, name: &QueueName, kind: Kind, room: usize) -> Checked<Vec<Candidate>> {
    let mut statement = ledger.conn.prepare_cached(CLAIM_READY)?;
    let mut rows = statement.query((queue.id(), kind as i64, i64::try_from(room).unwrap_or(i64::MAX)))?;
    let mut candidates = Vec::new();
    while let Some(row) = rows.next()? {
        candidates.push(candidate(row, name.clone())?);
    }
    Ok(candidates)
}

fn candidate(row: &Row<'_>, queue: QueueName) -> Checked<Candidate> {
    let (new, created_at) = record::new_job(row, queue)?;
    Ok(Candidate {
        new: new.into(),
        created_at,
        seq: row.get(8)?,
        token: record::token(row, 9)?,
        retries: record::counter(row, 10)?,
        crashes: record::counter(row, 11)?,
    })
}

fn start(
    ledger: &mut Ledger<'_>,
    claim: &Claim,
    queue: QueueRef,
    candidates: Vec<Candidate>,
    jobs: &mut Vec<ClaimedJob>,
) -> Checked<()> {
    debug_assert_eq!(target(Status::Queued, Event::Claim).ok(), Some(Status::InProgress), "claim_start.sql says so");
    let (conn, now) = (ledger.conn, ledger.now);
    let mut statement = conn.prepare_cached(CLAIM_START)?;
    jobs.reserve(candidates.len());
    for candidate in candidates {
        let token = Token(candidate.token.0 + 1);
        let worker = claim.worker.as_bytes();
        expect_one(statement.execute((candidate.seq, token.0 as i64, now.as_micros(), worker))?)?;
        ledger.mirror.start(candidate.new.id, running(&candidate, claim, queue, token, now));
        ledger.mirror.leave(queue);
        jobs.push(given_out(candidate, token, now));
    }
    Ok(())
}

/// The lease as the mirror keeps it.
pub(crate) fn running(candidate: &Candidate, claim: &Claim, queue: QueueRef, token: Token, now: Timestamp) -> Running {
    Running {
        seq: candidate.seq,
        queue,
        token,
        expires: now.after(claim.lease),
        cancel_requested: false,
        retries: candidate.retries,
        crashes: candidate.crashes,
        policy: candidate.new.retry,
        started_at: now,
        worker: claim.worker,
    }
}

/// The job as its worker gets it.
pub(crate) fn given_out(candidate: Candidate, token: Token, started_at: Timestamp) -> ClaimedJob {
    ClaimedJob {
        lease: Lease { id: candidate.new.id, token },
        retries: candidate.retries,
        crashes: candidate.crashes,
        created_at: candidate.created_at,
        started_at,
        new: candidate.new,
    }
}

fn next_due(ledger: &Ledger<'_>, lines: &[(QueueRef, QueueName)]) -> Checked<Option<Duration>> {
    let mut earliest: Option<Timestamp> = None;
    for (queue, _) in lines {
        let due = ledger.earliest_due(*queue)?;
        earliest = earliest.into_iter().chain(due).min();
    }
    Ok(earliest.map(|due| ledger.now.until(due)))
}

fn more(ledger: &Ledger<'_>, lines: &[(QueueRef, QueueName)]) -> Checked<bool> {
    for (queue, _) in lines {
        if ledger.any_ready(*queue)? {
            return Ok(true);
        }
    }
    Ok(false)
}
