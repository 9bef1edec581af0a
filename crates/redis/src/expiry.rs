//! Expiry: jobs that wait past the moment from which on they are not worth running. Notes of when to look at them are written before
//! the jobs, by a script that is asked for such jobs only: a note of a job that is refused then goes when it is looked at.

use redis::Value;
use windlass_core::state::{self, Event, Step};
use windlass_core::{Job, JobId, NewJob, Status, Timestamp};
use windlass_store::expiry::{AGAIN, Look, Note, look};
use windlass_store::{Exchange, codec};

use crate::answer::{bytes, exactly, groups, number, one_or_two};
use crate::asking::Asking;
use crate::fault::{Checked, Fault};
use crate::record::{self, First, micros};
use crate::submit::status;

/// Notes those of a turn's jobs that expire, submitted or emitted.
pub(crate) async fn note_turn(asking: &Asking<'_>, turn: &Exchange) -> Checked<()> {
    let emitted = turn.settle.iter().flat_map(|settlement| &settlement.emitted);
    note(asking, turn.submit.iter().chain(emitted).map(|new| &**new)).await
}

/// Notes those of new jobs that expire.
pub(crate) async fn note(asking: &Asking<'_>, jobs: impl Iterator<Item = &NewJob>) -> Checked<()> {
    write(asking, jobs.filter_map(|new| Some((new.id, Note::of(new)?))).collect()).await
}

/// Notes those that expire of jobs that were accepted before.
pub(crate) async fn note_accepted(asking: &Asking<'_>, jobs: &[Job]) -> Checked<()> {
    let note = |job: &Job| Some((job.new.id, Note::of_accepted(&job.new, job.created_at)?));
    write(asking, jobs.iter().filter_map(note).collect()).await
}

async fn write(asking: &Asking<'_>, notes: Vec<(JobId, Note)>) -> Checked<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let noted = asking.run(&asking.scripts.expiring_note, |question| {
        for (id, note) in &notes {
            question.arg(id.as_bytes()).arg(micros(note.within));
            match note.at {
                Some(at) => question.arg(at.as_micros()),
                None => question.arg(""),
            };
        }
    });
    match noted.await {
        // On an old server that is full; whoever claims such a job sees that it has expired.
        Err(fault) if fault.is_full() => Ok(()),
        noted => noted.map(drop),
    }
}

/// What comes of a look at a job.
struct Looked {
    id: Vec<u8>,
    later: Option<Timestamp>,
    error: Vec<u8>,
}

impl Looked {
    fn judge([id, status, submitted]: [Value; 3], now: Timestamp) -> Checked<Self> {
        let id = bytes(id)?;
        let (later, error) = match judge(&id, number(&status)?, submitted, now)? {
            Look::Forget => (None, Vec::new()),
            Look::Later(moment) => (Some(moment), Vec::new()),
            // Somebody may be about to claim it.
            Look::Expire(error) => (Some(now.after(AGAIN)), codec::seal(&error)?),
        };
        Ok(Self { id, later, error })
    }
}

fn judge(id: &[u8], code: i64, submitted: Value, now: Timestamp) -> Checked<Look> {
    if code == 0 {
        return Ok(Look::Forget);
    }
    let first = First::read(record::id(id)?, &one_or_two(submitted)?)?;
    Ok(look(status(code)?, first.new.expires_at(first.created_at), now))
}

/// Looks at no more than `most` jobs. How many that were, and how many have failed.
pub(crate) async fn sweep(asking: &Asking<'_>, most: usize) -> Checked<(usize, usize)> {
    let due = asking.run(&asking.scripts.expiring_due, |question| {
        question.arg(most);
    });
    let [now, due] = exactly(due.await?)?;
    let now = Timestamp::from_micros(number(&now)?);
    let looked = groups::<3>(due)?.into_iter().map(|one| Looked::judge(one, now)).collect::<Checked<Vec<_>>>()?;
    if looked.is_empty() {
        return Ok((0, 0));
    }
    let Some(Step::To(failed)) = state::next(Status::Queued, Event::Expire) else {
        return Err(Fault::corrupt("a job that waits cannot expire"));
    };
    let expired = asking.run(&asking.scripts.expire, |question| {
        question.arg(failed.code());
        for one in &looked {
            let later = one.later.map(|later| later.as_micros().to_string()).unwrap_or_default();
            question.arg(&one.id).arg(later).arg(&one.error);
        }
    });
    Ok((looked.len(), usize::try_from(number(&expired.await?)?).unwrap_or(0)))
}
