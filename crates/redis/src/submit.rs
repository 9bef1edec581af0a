//! Submit: new jobs as arguments, and what became of them.

use std::sync::Arc;

use redis::{Cmd, Value};
use windlass_core::{NewJob, Start, Status, Timestamp};
use windlass_store::{SubmitOutcome, Submitted};

use crate::answer::{bytes, groups, list, number};
use crate::fault::{Checked, Fault};
use crate::record::{self, State};

/// Neighbours that differ in their ids and inputs only, so that the rest is sent once. Most batches are one group.
pub(crate) struct Group<'a> {
    first: &'a NewJob,
    fixed: Vec<u8>,
    jobs: Vec<(&'a NewJob, Vec<u8>)>,
}

impl<'a> Group<'a> {
    pub(crate) fn all(jobs: &'a [Arc<NewJob>]) -> Checked<Vec<Self>> {
        let mut groups: Vec<Self> = Vec::new();
        for new in jobs {
            let submitted = record::submitted(new)?;
            match groups.last_mut() {
                Some(group) if group.takes(new) => group.jobs.push((new, submitted)),
                _ => groups.push(Self { first: new, fixed: record::fixed(new), jobs: vec![(new, submitted)] }),
            }
        }
        Ok(groups)
    }

    fn takes(&self, new: &NewJob) -> bool {
        let first = self.first;
        (first.retry.max_crashes, first.priority, first.start) == (new.retry.max_crashes, new.priority, new.start)
            && (&first.queue, &first.name, &first.owner) == (&new.queue, &new.name, &new.owner)
    }

    pub(crate) fn write(&self, question: &mut Cmd) {
        question.arg(self.jobs.len()).arg(self.first.priority.level());
        match self.first.start {
            Start::Now => question.arg("").arg(""),
            Start::After(delay) => question.arg(record::micros(delay)).arg(""),
            Start::At(moment) => question.arg("").arg(moment.as_micros()),
        };
        question.arg(&self.fixed);
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
    let mut standing = groups::<2>(standing)?.into_iter();
    let mut answers = Vec::with_capacity(jobs.len());
    for (new, outcome) in jobs.iter().zip(&outcomes) {
        let outcome = match number(outcome)? {
            0 => {
                let kept = standing.next().ok_or_else(|| Fault::corrupt("an id is taken by no job"))?;
                compare(new, kept)?
            }
            -1 => SubmitOutcome::QueueFull,
            code => SubmitOutcome::Created(status(code)?),
        };
        answers.push(Submitted { id: new.id, outcome, at: Timestamp::from_micros(at) });
    }
    Ok(answers)
}

fn compare(new: &NewJob, [state, submitted]: [Value; 2]) -> Checked<SubmitOutcome> {
    let kept = State::read(&bytes(state)?)?.new_job(new.id, &bytes(submitted)?)?;
    Ok(if kept.asks_the_same(new) { SubmitOutcome::Existing } else { SubmitOutcome::Conflict })
}

/// The status of a code in an answer.
pub(crate) fn status(code: i64) -> Checked<Status> {
    let status = u8::try_from(code).ok().and_then(Status::from_code);
    status.ok_or_else(|| Fault::corrupt("a job has an unknown status"))
}
