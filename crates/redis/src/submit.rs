//! Submit: new jobs as arguments, and what became of them.

use std::sync::Arc;

use redis::{Cmd, Value};
use windlass_core::{NewJob, Start, Status, Timestamp};
use windlass_store::{SubmitOutcome, Submitted};

use crate::answer::{bytes, groups, list, number};
use crate::fault::{Checked, Fault};
use crate::record::{self, State};

/// A new job as it is sent.
pub(crate) struct Packed<'a> {
    new: &'a NewJob,
    fixed: Vec<u8>,
    submitted: Vec<u8>,
}

impl<'a> Packed<'a> {
    pub(crate) fn all(jobs: &'a [Arc<NewJob>]) -> Checked<Vec<Self>> {
        jobs.iter().map(|new| Self::of(new)).collect()
    }

    pub(crate) fn of(new: &'a NewJob) -> Checked<Self> {
        Ok(Self { new, fixed: record::fixed(new), submitted: record::submitted(new)? })
    }

    pub(crate) fn write(&self, question: &mut Cmd) {
        question.arg(self.new.id.as_bytes()).arg(self.new.priority.level());
        match self.new.start {
            Start::Now => question.arg("").arg(""),
            Start::After(delay) => question.arg(record::micros(delay)).arg(""),
            Start::At(moment) => question.arg("").arg(moment.as_micros()),
        };
        question.arg(&self.fixed).arg(&self.submitted);
    }
}

/// What the answers say. `standing` holds the jobs whose ids were asked for again, in that order.
pub(crate) fn outcomes(jobs: &[Arc<NewJob>], at: i64, outcomes: Value, standing: Value) -> Checked<Vec<Submitted>> {
    let outcomes = list(outcomes)?;
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
