//! Submit: new jobs, whether a caller hands them over or a settlement emits them.

use std::sync::Arc;

use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use windlass_core::{JobId, NewJob, QueueName, Status, Timestamp};
use windlass_store::codec::Spec;
use windlass_store::gatekeeper::Bounds;
use windlass_store::{Scope, SubmitOutcome, Submitted};

use crate::cancel::cancel;
use crate::fault::{Checked, Fault};
use crate::handover::Handover;
use crate::ledger::Ledger;
use crate::mirror::QueueRef;
use crate::unique::{self, Way};
use crate::{expiry, gates, owned, record, turns, whole};

const SUBMIT_JOB: &str = include_str!("sql/submit_job.sql");
const DROPS_FIRST: &str = include_str!("sql/submit_drops_first.sql");
const SUBMIT_STATE: &str = include_str!("sql/submit_state.sql");

/// Who submits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// What they submit counts for the rates of owners.
    Callers,
    /// What is emitted by handlers and submitted by schedules does not.
    Ourselves,
}

/// Stores the jobs whose ids are new, unless their queue holds `limit` waiting jobs already. Those that `handover`
/// takes go to a worker at once.
pub(crate) fn submit(
    ledger: &mut Ledger<'_>,
    jobs: &[Arc<NewJob>],
    limit: Option<u64>,
    mut handover: Option<&mut Handover<'_>>,
    of: Of,
) -> Checked<Vec<Submitted>> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let mut intake = Intake::prepare(ledger.conn)?;
    let mut answers = Vec::with_capacity(jobs.len());
    for new in jobs {
        if let (Of::Callers, Some(outcome)) = (of, waits(ledger, new)?) {
            answers.push(Submitted { id: new.id, outcome, at: ledger.now });
            continue;
        }
        let bounds = match of {
            Of::Callers => ledger.mirror.keeper.bounds(new, limit),
            Of::Ourselves => Bounds::default(),
        };
        answers.push(intake.take(ledger, new, bounds, handover.as_deref_mut())?);
    }
    Ok(answers)
}

/// What a job is told whose owner may not submit it now, or whose id is taken; nothing where no rule holds for its owner.
fn waits(ledger: &mut Ledger<'_>, new: &NewJob) -> Checked<Option<SubmitOutcome>> {
    if !ledger.mirror.keeper.limits_owner(new) {
        return Ok(None);
    }
    if let Some(known) = known(ledger.conn, new)? {
        return Ok(Some(known));
    }
    let refused = ledger.mirror.keeper.submits(new, ledger.now).err();
    gates::keep_buckets(ledger)?;
    Ok(refused.map(|retry_after| SubmitOutcome::OverRate { retry_after }))
}

/// The statements of this verb, looked up once per batch.
struct Intake<'c> {
    job: CachedStatement<'c>,
    state: CachedStatement<'c>,
}

impl<'c> Intake<'c> {
    fn prepare(conn: &'c Connection) -> Checked<Self> {
        Ok(Self { job: conn.prepare_cached(SUBMIT_JOB)?, state: conn.prepare_cached(SUBMIT_STATE)? })
    }

    /// Takes a job, unless its id is taken, another stands that is the same, or there is no room; in place of others where they make
    /// some.
    fn take(
        &mut self,
        ledger: &mut Ledger<'_>,
        new: &Arc<NewJob>,
        bounds: Bounds,
        handover: Option<&mut Handover<'_>>,
    ) -> Checked<Submitted> {
        let at = ledger.now;
        let answer = |id, outcome| Ok(Submitted { id, outcome, at });
        if new.unique().is_none() && has_plain_room(ledger, new, bounds) {
            return answer(new.id, self.take_one(ledger, new, handover)?);
        }
        if let Some(outcome) = known(ledger.conn, new)? {
            return answer(new.id, outcome);
        }
        let former = match new.unique().map_or(Ok(Way::Free), |unique| unique::way(ledger.conn, unique, at))? {
            Way::Taken(id) => return answer(id, SubmitOutcome::Duplicate),
            Way::Free => None,
            Way::InPlaceOf(id, queue) => Some((id, queue)),
        };
        let dropped = match make_room(ledger, new, bounds, former.as_ref())? {
            Ok(dropped) => dropped,
            Err(outcome) => return answer(new.id, outcome),
        };
        let others: Vec<JobId> = former.into_iter().map(|(id, _)| id).chain(dropped).collect();
        for other in &others {
            cancel(ledger, *other, &Scope::Everything)?;
        }
        let seq = ledger.mirror.next_seq();
        let outcome = self.take_one(ledger, new, handover)?;
        unique::hold(ledger.conn, seq, new, at)?;
        answer(new.id, others.first().map_or(outcome, |other| SubmitOutcome::Replaced(*other)))
    }

    fn take_one(
        &mut self,
        ledger: &mut Ledger<'_>,
        new: &Arc<NewJob>,
        handover: Option<&mut Handover<'_>>,
    ) -> Checked<SubmitOutcome> {
        let seq = ledger.mirror.next_seq();
        if !insert_job(&mut self.job, seq, new, ledger.now)? {
            let outcome = known(ledger.conn, new)?;
            return outcome.ok_or_else(|| Fault::corrupt("a job's id is taken by no job"));
        }
        ledger.mirror.take_seq();
        expiry::note(ledger, new, ledger.now)?;
        let queue = ledger.mirror.queue(&new.queue).map_or_else(|| ledger.add_queue(&new.queue), Ok)?;
        if let Some(handover) = handover
            && handover.start(ledger, seq, queue, new)?
        {
            return Ok(SubmitOutcome::Created(Status::Queued));
        }
        self.insert_state(ledger, seq, queue, new)
    }

    /// Tokens count from the moment of acceptance, so that a job whose id was used before, and pruned, does not
    /// issue the tokens of its predecessor again.
    fn insert_state(
        &mut self,
        ledger: &mut Ledger<'_>,
        seq: i64,
        queue: QueueRef,
        new: &NewJob,
    ) -> Checked<SubmitOutcome> {
        let due = new.start.due(ledger.now);
        let status = if due.is_some() { Status::Scheduled } else { Status::Queued };
        let now = ledger.now.as_micros();
        self.state.execute((
            seq,
            status.code(),
            queue.id(),
            new.priority.level(),
            now.max(0),
            now,
            due.map(|due| due.as_micros()),
        ))?;
        ledger.enter(queue, due);
        if status == Status::Queued {
            turns::line_up(ledger, queue, seq, new)?;
        }
        Ok(SubmitOutcome::Created(status))
    }
}

/// Keeps what was submitted, as accepted at `created_at`. Whether the id was free.
pub(crate) fn keep_job(conn: &Connection, seq: i64, new: &NewJob, created_at: Timestamp) -> Checked<bool> {
    insert_job(&mut conn.prepare_cached(SUBMIT_JOB)?, seq, new, created_at)
}

/// The statement fails when the id is taken, which leaves the transaction as it is.
fn insert_job(job: &mut CachedStatement<'_>, seq: i64, new: &NewJob, created_at: Timestamp) -> Checked<bool> {
    let spec = Spec::encode(new)?;
    let inserted = job.execute((
        seq,
        new.id.as_bytes(),
        new.name.as_str(),
        new.owner.as_ref().map(|owner| owner.as_str()),
        created_at.as_micros(),
        record::job_sum(new, created_at, &spec),
        &spec,
        &new.payload.bytes[..],
    ));
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if is_id_taken(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The one unique column of `job` besides its key, which has a code of its own.
fn is_id_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|failure| failure.extended_code == SQLITE_CONSTRAINT_UNIQUE)
}

/// The job that makes room for a new one, if any waits.
fn drops_first(conn: &Connection, queue: QueueRef) -> Checked<Option<JobId>> {
    let mut statement = conn.prepare_cached(DROPS_FIRST)?;
    let id: Option<[u8; 16]> = statement.query_row([queue.id()], |row| row.get(0)).optional()?;
    Ok(id.map(JobId::from_bytes))
}

/// How many jobs wait in the queue of a new one.
fn waiting_beside(ledger: &Ledger<'_>, new: &NewJob) -> u64 {
    ledger.mirror.queue(&new.queue).map_or(0, |queue| ledger.mirror.waiting(queue))
}

/// Whether a job is stored where nobody has to leave for it.
fn has_plain_room(ledger: &Ledger<'_>, new: &NewJob, bounds: Bounds) -> bool {
    bounds.owner.is_none() && (bounds.queue.is_none() || bounds.queue.has_room(waiting_beside(ledger, new), 0))
}

/// The jobs that make room for a new one, besides one that it replaces, whose line is given where it waits; or why there is no room.
/// One that waits makes room, in a queue that has too many as in any other; one that runs has done so before.
fn make_room(
    ledger: &Ledger<'_>,
    new: &NewJob,
    bounds: Bounds,
    former: Option<&(JobId, Option<QueueName>)>,
) -> Checked<Result<Vec<JobId>, SubmitOutcome>> {
    let mut dropped = Vec::new();
    let queue = ledger.mirror.queue(&new.queue);
    let former_queue = former.and_then(|(_, queue)| queue.as_ref());
    let mut leaving = u64::from(former_queue == Some(&new.queue));
    if let Some(owner) = new.owner.as_ref().filter(|_| !bounds.owner.is_none()) {
        // The key of a unique job is its owner's.
        let leaves = u64::from(former_queue.is_some());
        if !bounds.owner.has_room(owned::waiting(ledger.conn, owner)?, leaves) {
            let first = if bounds.owner.drops { owned::first(ledger.conn, owner)? } else { None };
            let Some(first) = first else { return Ok(Err(SubmitOutcome::OwnerFull)) };
            leaving += u64::from(queue.is_some_and(|queue| queue.id() == first.queue));
            dropped.push(first.id);
        }
    }
    if !bounds.queue.has_room(waiting_beside(ledger, new), leaving) {
        let first = queue.filter(|_| bounds.queue.drops).map(|queue| drops_first(ledger.conn, queue));
        let Some(first) = first.transpose()?.flatten() else { return Ok(Err(SubmitOutcome::QueueFull)) };
        dropped.push(first);
    }
    Ok(Ok(dropped))
}

/// What became of a submission whose id is taken; `None` when it is not.
fn known(conn: &Connection, new: &NewJob) -> Checked<Option<SubmitOutcome>> {
    let Some(found) = whole::find(conn, new.id, &Scope::Everything)? else { return Ok(None) };
    let same = found.job.new.asks_the_same(new);
    Ok(Some(if same { SubmitOutcome::Existing } else { SubmitOutcome::Conflict }))
}
