//! What a claim takes out of a line, and how it begins to run.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Params, Row};
use windlass_core::state::Event;
use windlass_core::{NewJob, Priority, QueueName, Status, Timestamp};
use windlass_store::aging::by_age;
use windlass_store::{Claim, ClaimedJob, Lease, Token};

use crate::fault::Checked;
use crate::ledger::{Ledger, expect_one, target};
use crate::mirror::{QueueRef, Running};
use crate::record;

const CLAIM_READY: &str = include_str!("sql/claim_ready.sql");
const TURN_READY: &str = include_str!("sql/turn_ready.sql");
const TURN_ONE: &str = include_str!("sql/turn_one.sql");
const TURN_DUE: &str = include_str!("sql/turn_due.sql");
const LEVEL_READY: &str = include_str!("sql/level_ready.sql");
const CLAIM_START: &str = include_str!("sql/claim_start.sql");

/// Which ready jobs of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Others = 0,
    Suspects = 1,
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

pub(crate) fn ready(
    ledger: &Ledger<'_>,
    queue: QueueRef,
    name: &QueueName,
    kind: Kind,
    room: usize,
) -> Checked<Vec<Candidate>> {
    read(ledger, CLAIM_READY, (queue.id(), kind as i64, i64::try_from(room).unwrap_or(i64::MAX)), name)
}

/// The first jobs that wait for their turn at a gate.
pub(crate) fn in_line(
    ledger: &Ledger<'_>,
    queue: QueueRef,
    name: &QueueName,
    gate: &str,
    most: usize,
) -> Checked<Vec<Candidate>> {
    read(ledger, TURN_READY, (queue.id(), gate, i64::try_from(most).unwrap_or(i64::MAX)), name)
}

/// The jobs of a line that are due, the earliest first.
pub(crate) fn due(ledger: &Ledger<'_>, queue: QueueRef, name: &QueueName, most: usize) -> Checked<Vec<Candidate>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    read(ledger, TURN_DUE, (queue.id(), ledger.now.as_micros(), most), name)
}

/// The first ready jobs of a line in which jobs rise by one level of priority in every `span`; no suspects.
pub(crate) fn ready_by_age(
    ledger: &Ledger<'_>,
    queue: QueueRef,
    name: &QueueName,
    span: Duration,
    room: usize,
) -> Checked<Vec<Candidate>> {
    let mut levels = Vec::with_capacity(Priority::LEVELS);
    for level in 0..Priority::LEVELS {
        let mut statement = ledger.conn.prepare_cached(LEVEL_READY)?;
        let most = i64::try_from(room).unwrap_or(i64::MAX);
        let its = statement.query_map((queue.id(), level as i64, most), |row| {
            Ok((Timestamp::from_micros(row.get(1)?), row.get::<_, i64>(0)?))
        })?;
        levels.push(its.collect::<Result<Vec<_>, _>>()?.into_iter());
    }
    let chosen = by_age(levels, span).take(room).filter_map(|seq| one(ledger, name, seq).transpose());
    chosen.collect()
}

/// One job of a line.
pub(crate) fn one(ledger: &Ledger<'_>, name: &QueueName, seq: i64) -> Checked<Option<Candidate>> {
    Ok(read(ledger, TURN_ONE, [seq], name)?.pop())
}

fn read(ledger: &Ledger<'_>, sql: &str, params: impl Params, name: &QueueName) -> Checked<Vec<Candidate>> {
    let mut statement = ledger.conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
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

pub(crate) fn start(
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
