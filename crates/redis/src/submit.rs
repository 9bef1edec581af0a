//! Submit: new jobs as arguments, and what became of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use windlass_core::{JobId, NewJob, Start, Status, Timestamp};
use windlass_store::{SubmitOutcome, Submitted};

use crate::answer::{list, number, one_or_two};
use crate::fault::{Checked, Fault};
use crate::record::{self, First};

/// Neighbours that go to one place of one queue, so that it is sent once, and no two of them with the same id. Most batches
/// are one group.
pub(crate) struct Group<'a> {
    first: &'a NewJob,
    /// Of all but the first.
    ids: HashSet<JobId>,
    jobs: Vec<(&'a NewJob, Vec<u8>)>,
}

impl<'a> Group<'a> {
    pub(crate) fn all(jobs: &'a [Arc<NewJob>]) -> Checked<Vec<Self>> {
        let mut groups: Vec<Self> = Vec::new();
        for new in jobs {
            let submitted = record::submitted(new)?;
            if let Some(group) = groups.last_mut()
                && group.takes(new)
                && new.id != group.first.id
                && group.ids.insert(new.id)
            {
                group.jobs.push((new, submitted));
            } else {
                groups.push(Self { first: new, ids: HashSet::new(), jobs: vec![(new, submitted)] });
            }
        }
        Ok(groups)
    }

    fn takes(&self, new: &NewJob) -> bool {
        let first = self.first;
        first.unique().is_none()
            && new.unique().is_none()
            && (first.priority, first.start, &first.queue) == (new.priority, new.start, &new.queue)
    }

    /// As `lua/unique.lua` reads it.
    pub(crate) fn write_unique(&self, question: &mut Cmd) {
        match self.first.unique() {
            None => question.arg(""),
            Some(unique) => {
                question.arg(unique.key.as_bytes()).arg(unique.states.bits());
                match unique.period {
                    Some(period) => question.arg(record::micros(period)),
                    None => question.arg(""),
                };
                question
                    .arg(u8::from(unique.replaces))
                    .arg(u8::from(unique.extends))
                    .arg(u8::from(unique.cancels_running))
            }
        };
        self.write(question);
    }

    pub(crate) fn write(&self, question: &mut Cmd) {
        question.arg(self.jobs.len()).arg(self.first.priority.level());
        match self.first.start {
            Start::Now => question.arg("").arg(""),
            Start::After(delay) => question.arg(record::micros(delay)).arg(""),
            Start::At(moment) => question.arg("").arg(moment.as_micros()),
        };
        question.arg(self.first.queue.as_str());
        for (new, submitted) in &self.jobs {
            question.arg(new.id.as_bytes()).arg(submitted);
        }
    }
}

/// What the answers say. `standing` holds the jobs whose ids were asked for again, in that order.
pub(crate) fn outcomes(jobs: &[Arc<NewJob>], at: i64, outcomes: Value, standing: Value) -> Checked<Vec<Submitted>> {
    let outcomes = list(outcomes)?;
    if outcomes.len() != jobs.len() {
        return Err(Fault::corrupt("an id is taken by half a job"));
    }
    let mut standing = list(standing)?.into_iter();
    let mut answers = Vec::with_capacity(jobs.len());
    for (new, outcome) in jobs.iter().zip(&outcomes) {
        let at = Timestamp::from_micros(at);
        if let Value::BulkString(other) = outcome {
            answers.push(met(new, other, at)?);
            continue;
        }
        let outcome = match number(outcome)? {
            0 => {
                let kept = standing.next().ok_or_else(|| Fault::corrupt("an id is taken by no job"))?;
                compare(new, kept)?
            }
            -1 => SubmitOutcome::QueueFull,
            code if code < -1 => {
                SubmitOutcome::OverRate { retry_after: Duration::from_micros((-2 - code).unsigned_abs()) }
            }
            code => SubmitOutcome::Created(status(code)?),
        };
        answers.push(Submitted { id: new.id, outcome, at });
    }
    Ok(answers)
}

/// What became of a job that met another, or too many of its owner's.
fn met(new: &NewJob, other: &[u8], at: Timestamp) -> Checked<Submitted> {
    if other == b"o" {
        return Ok(Submitted { id: new.id, outcome: SubmitOutcome::OwnerFull, at });
    }
    Ok(match other.strip_prefix(b"r") {
        Some(former) if other.len() == 17 => {
            Submitted { id: new.id, outcome: SubmitOutcome::Replaced(record::id(former)?), at }
        }
        _ => Submitted { id: record::id(other)?, outcome: SubmitOutcome::Duplicate, at },
    })
}

fn compare(new: &NewJob, kept: Value) -> Checked<SubmitOutcome> {
    let kept = First::read(new.id, &one_or_two(kept)?)?;
    Ok(if kept.new.asks_the_same(new) { SubmitOutcome::Existing } else { SubmitOutcome::Conflict })
}

/// The status of a code in an answer.
pub(crate) fn status(code: i64) -> Checked<Status> {
    let status = u8::try_from(code).ok().and_then(Status::from_code);
    status.ok_or_else(|| Fault::corrupt("a job has an unknown status"))
}
