//! Submit: new jobs, whether a caller hands them over or a settlement emits them.

use std::sync::Arc;

use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use windlass_core::{Backlog, JobId, NewJob, QueueName, Status, Timestamp, Uniqueness};
use windlass_store::codec::Spec;
use windlass_store::{Scope, SubmitOutcome, Submitted};

use crate::cancel::cancel;
use crate::fault::{Checked, Fault};
use crate::handover::Handover;
use crate::ledger::Ledger;
use crate::mirror::QueueRef;
use crate::unique::{self, Way};
use crate::{expiry, gates, record, turns, whole};

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
        let backlog = match of {
            Of::Callers => ledger.mirror.keeper.backlog(&new.queue, limit),
            Of::Ourselves => Backlog { most: limit, drops: false },
        };
        let answer = intake.take(ledger, new, backlog, handover.as_deref_mut())?;
        answers.push(match answer.outcome {
            SubmitOutcome::QueueFull if backlog.drops => {
                intake.take_for_another(ledger, new, handover.as_deref_mut())?
            }
            _ => answer,
        });
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

    /// Takes a job, unless its id is taken, another stands that is the same, or its queue is full.
    fn take(
        &mut self,
        ledger: &mut Ledger<'_>,
        new: &Arc<NewJob>,
        backlog: Backlog,
        handover: Option<&mut Handover<'_>>,
    ) -> Checked<Submitted> {
        match new.unique() {
            Some(unique) => self.take_unique(ledger, new, unique, backlog, handover),
            None => {
                let outcome = self.take_one(ledger, new, backlog.most, handover)?;
                Ok(Submitted { id: new.id, outcome, at: ledger.now })
            }
        }
    }

    /// Takes a job in place of one that waits in its queue, if any does.
    fn take_for_another(
        &mut self,
        ledger: &mut Ledger<'_>,
        new: &Arc<NewJob>,
        handover: Option<&mut Handover<'_>>,
    ) -> Checked<Submitted> {
        let queue = ledger.mirror.queue(&new.queue);
        let Some(oldest) = queue.map(|queue| drops_first(ledger.conn, queue)).transpose()?.flatten() else {
            return Ok(Submitted { id: new.id, outcome: SubmitOutcome::QueueFull, at: ledger.now });
        };
        cancel(ledger, oldest, &Scope::Everything)?;
        let answer = self.take(ledger, new, Backlog::default(), handover)?;
        Ok(match answer.outcome {
            SubmitOutcome::Created(_) => Submitted { outcome: SubmitOutcome::Replaced(oldest), ..answer },
            _ => answer,
        })
    }

    fn take_one(
        &mut self,
        ledger: &mut Ledger<'_>,
        new: &Arc<NewJob>,
        limit: Option<u64>,
        handover: Option<&mut Handover<'_>>,
    ) -> Checked<SubmitOutcome> {
        let queue = ledger.mirror.queue(&new.queue);
        let waiting = queue.map_or(0, |queue| ledger.mirror.waiting(queue));
        if limit.is_some_and(|limit| waiting >= limit) {
            return Ok(known(ledger.conn, new)?.unwrap_or(SubmitOutcome::QueueFull));
        }
        let seq = ledger.mirror.next_seq();
        if !insert_job(&mut self.job, seq, new, ledger.now)? {
            let outcome = known(ledger.conn, new)?;
            return outcome.ok_or_else(|| Fault::corrupt("a job's id is taken by no job"));
        }
        ledger.mirror.take_seq();
        expiry::note(ledger, new, ledger.now)?;
        let queue = queue.map_or_else(|| ledger.add_queue(&new.queue), Ok)?;
        if let Some(handover) = handover
            && handover.start(ledger, seq, queue, new)?
        {
            return Ok(SubmitOutcome::Created(Status::Queued));
        }
        self.insert_state(ledger, seq, queue, new)
    }

    /// Takes a job unless another stands that is the same, or in its place.
    fn take_unique(
        &mut self,
        ledger: &mut Ledger<'_>,
        new: &Arc<NewJob>,
        unique: &Uniqueness,
        backlog: Backlog,
        handover: Option<&mut Handover<'_>>,
    ) -> Checked<Submitted> {
        let at = ledger.now;
        let answer = |id, outcome| Ok(Submitted { id, outcome, at });
        if let Some(outcome) = known(ledger.conn, new)? {
            return answer(new.id, outcome);
        }
        let former = match unique::way(ledger.conn, unique, ledger.now)? {
            Way::Taken(id) => return answer(id, SubmitOutcome::Duplicate),
            Way::Free => None,
            // Whoever is replaced while it waits makes room, in a queue that has too many as in any other.
            Way::InPlaceOf(_, queue) if !has_room(ledger, &new.queue, backlog, queue.as_ref() == Some(&new.queue)) => {
                return answer(new.id, SubmitOutcome::QueueFull);
            }
            Way::InPlaceOf(id, _) => Some(id),
        };
        let mut limit = backlog.most;
        if let Some(former) = former {
            cancel(ledger, former, &Scope::Everything)?;
            limit = None;
        }
        let seq = ledger.mirror.next_seq();
        let outcome = self.take_one(ledger, new, limit, handover)?;
        if let SubmitOutcome::Created(_) = outcome {
            unique::hold(ledger.conn, seq, new, ledger.now)?;
        }
        answer(new.id, former.map_or(outcome, SubmitOutcome::Replaced))
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

/// Whether there is room in a queue for one in place of another, which may leave it. In one that drops, whoever leaves is the one
/// that makes room.
fn has_room(ledger: &Ledger<'_>, queue: &QueueName, Backlog { most, drops }: Backlog, leaves: bool) -> bool {
    let waiting = ledger.mirror.queue(queue).map_or(0, |queue| ledger.mirror.waiting(queue));
    (drops && leaves) || most.is_none_or(|most| waiting < most.saturating_add(u64::from(leaves)))
}

/// What became of a submission whose id is taken; `None` when it is not.
fn known(conn: &Connection, new: &NewJob) -> Checked<Option<SubmitOutcome>> {
    let Some(found) = whole::find(conn, new.id, &Scope::Everything)? else { return Ok(None) };
    let same = found.job.new.asks_the_same(new);
    Ok(Some(if same { SubmitOutcome::Existing } else { SubmitOutcome::Conflict }))
}
