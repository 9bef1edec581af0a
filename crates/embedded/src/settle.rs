//! Settle: how attempts ended.

use rusqlite::{CachedStatement, Connection};
use windlass_core::state::Event;
use windlass_core::{AttemptOutcome, JobError, Payload, Status, Timestamp};
use windlass_store::{Fate, Lease, Outcome, Settlement, codec};

use crate::fault::Checked;
use crate::ledger::{Ledger, expect_one, target};
use crate::mirror::Running;
use crate::submit::{Of, submit};
use crate::{gates, history, record};

const SETTLE: &str = include_str!("sql/settle.sql");
const SETTLE_KEEPING_ERROR: &str = include_str!("sql/settle_keeping_error.sql");
const SETTLE_RESULT: &str = include_str!("sql/settle_result.sql");
const SETTLE_REPEATED: &str = include_str!("sql/settle_repeated.sql");

/// Applies each settlement whose lease is good, and says what became of all.
pub(crate) fn settle(ledger: &mut Ledger<'_>, settlements: &[Settlement]) -> Checked<Vec<Fate>> {
    if settlements.is_empty() {
        return Ok(Vec::new());
    }
    let mut desk = Desk::prepare(ledger.conn)?;
    let mut fates = vec![Fate::LeaseLost; settlements.len()];
    for place in in_order_of_submission(ledger, settlements) {
        let settlement = &settlements[place];
        fates[place] = match ledger.mirror.held(settlement.lease, ledger.now) {
            Some(running) => desk.settle(ledger, settlement, &running)?,
            None => stale(ledger, settlement.lease)?,
        };
    }
    submit_emitted(ledger, settlements, &fates)?;
    Ok(fates)
}

/// The places of the settlements, oldest job first: the results then arrive by number, and their table grows at its end
/// in place of splitting pages in its midst (1.5 pages written per turn of an endpoint under load, not 2.5).
fn in_order_of_submission(ledger: &Ledger<'_>, settlements: &[Settlement]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..settlements.len()).collect();
    places.sort_by_cached_key(|place| ledger.mirror.seq(settlements[*place].lease.id));
    places
}

/// What the accepted completions emitted, in the order in which they were handed over: jobs are listed and claimed in the
/// order of acceptance, which must not depend on the order of writing.
fn submit_emitted(ledger: &mut Ledger<'_>, settlements: &[Settlement], fates: &[Fate]) -> Checked<()> {
    for (settlement, fate) in settlements.iter().zip(fates) {
        if *fate == Fate::Settled(Status::Completed) {
            let _emitted_ids_may_exist = submit(ledger, &settlement.emitted, None, None, Of::Ourselves)?;
        }
    }
    Ok(())
}

/// A lease that is not held: its own settlement may have ended it, and then the answer is repeated.
fn stale(ledger: &Ledger<'_>, lease: Lease) -> Checked<Fate> {
    if ledger.mirror.is_running(lease.id) {
        return Ok(Fate::LeaseLost);
    }
    let mut statement = ledger.conn.prepare_cached(SETTLE_REPEATED)?;
    let mut rows = statement.query([lease.id.as_bytes()])?;
    match rows.next()? {
        Some(row) if record::token(row, 0)? == lease.token => Ok(Fate::Repeated(record::status(row, 1)?)),
        _ => Ok(Fate::LeaseLost),
    }
}

/// What a settlement makes of its job.
struct Ending<'s> {
    status: Status,
    retries: u32,
    due: Option<Timestamp>,
    error: Option<&'s JobError>,
}

impl<'s> Ending<'s> {
    fn of(outcome: &'s Outcome, running: &Running, now: Timestamp) -> Checked<(Self, Event)> {
        let event = outcome.event().under_cancel(running.cancel_requested);
        let status = target(Status::InProgress, event)?;
        let (delay, error) = match outcome {
            Outcome::Retry { delay, error } => (Some(*delay), Some(error)),
            Outcome::Snooze { delay } => (Some(*delay), None),
            Outcome::Fail(error) => (None, Some(error)),
            Outcome::Complete(_) | Outcome::Release | Outcome::Stop => (None, None),
        };
        let due = delay.filter(|_| status == Status::Scheduled).map(|delay| now.after(delay));
        let retries = running.retries + u32::from(event == Event::Retry);
        Ok((Self { status, retries, due, error }, event))
    }
}

/// The statements of the common case, looked up once per batch.
struct Desk<'c> {
    settle: CachedStatement<'c>,
    result: CachedStatement<'c>,
}

impl<'c> Desk<'c> {
    fn prepare(conn: &'c Connection) -> Checked<Self> {
        Ok(Self { settle: conn.prepare_cached(SETTLE)?, result: conn.prepare_cached(SETTLE_RESULT)? })
    }

    fn settle(&mut self, ledger: &mut Ledger<'_>, settlement: &Settlement, running: &Running) -> Checked<Fate> {
        let (ending, event) = Ending::of(&settlement.outcome, running, ledger.now)?;
        self.write(ledger, running, &ending, event)?;
        ledger.mirror.stop(settlement.lease.id);
        gates::end(ledger, settlement.lease.id, running.queue, ending.status)?;
        if ending.status.is_waiting() {
            ledger.enter(running.queue, ending.due);
        }
        if let Outcome::Complete(result) = &settlement.outcome {
            self.keep_result(running.seq, result)?;
        }
        if let Some(outcome) = outcome_on_record(event) {
            history::add(ledger.conn, running, ledger.now, outcome, ending.error)?;
        }
        Ok(Fate::Settled(ending.status))
    }

    /// A completion clears the error on record, a failure replaces it, anything else leaves it.
    fn write(&mut self, ledger: &Ledger<'_>, running: &Running, ending: &Ending<'_>, event: Event) -> Checked<()> {
        let now = ledger.now.as_micros();
        let due = ending.due.map(Timestamp::as_micros);
        let (seq, token) = (running.seq, running.token.0 as i64);
        let (status, retries) = (ending.status.code(), ending.retries);
        let error = ending.error.map(codec::seal).transpose()?;
        let changed = if event == Event::Complete || error.is_some() {
            self.settle.execute((seq, token, status, retries, due, now, error))?
        } else {
            let mut keeping = ledger.conn.prepare_cached(SETTLE_KEEPING_ERROR)?;
            keeping.execute((seq, token, status, retries, due, now))?
        };
        expect_one(changed)
    }

    /// A result without type and bytes needs no row: a completed job that has none returned nothing.
    fn keep_result(&mut self, seq: i64, result: &Payload) -> Checked<()> {
        if result.is_empty() && result.content_type.is_empty() {
            return Ok(());
        }
        self.result.execute((seq, &*result.content_type, &result.bytes[..], record::payload_sum(result)))?;
        Ok(())
    }
}

/// Which endings go into the history; a completion is read from the job itself.
fn outcome_on_record(event: Event) -> Option<AttemptOutcome> {
    match event {
        Event::Retry | Event::Fail => Some(AttemptOutcome::Failed),
        Event::Stop => Some(AttemptOutcome::Canceled),
        _ => None,
    }
}
