//! Settle: how attempts ended, as arguments, and what became of them.

use redis::{Cmd, Value};
use windlass_core::JobError;
use windlass_core::state::Event;
use windlass_store::{Fate, Outcome, Settlement, codec};

use crate::answer::{list, number};
use crate::fault::Checked;
use crate::record::{self, micros};
use crate::scripts::word;
use crate::submit::{Group, status};

/// How an attempt ended, as `lua/settle.lua` reads it.
const WITHOUT_RESULT: u8 = 0;
const WITH_RESULT: u8 = 1;
const OTHERWISE: u8 = 2;

/// Settlements as they are sent.
pub(crate) struct Endings<'a> {
    endings: Vec<Ending<'a>>,
    /// Emitted jobs with the place of their settlement, from 1.
    emitted: Vec<(usize, Group<'a>)>,
}

struct Ending<'a> {
    settlement: &'a Settlement,
    delay: i64,
    error: Vec<u8>,
    result: Vec<u8>,
}

impl<'a> Endings<'a> {
    pub(crate) fn of(settlements: &'a [Settlement]) -> Checked<Self> {
        let endings = settlements.iter().map(Ending::of).collect::<Checked<_>>()?;
        let mut emitted = Vec::new();
        for (place, settlement) in settlements.iter().enumerate() {
            if matches!(settlement.outcome, Outcome::Complete(_)) {
                let groups = Group::all(&settlement.emitted)?;
                emitted.extend(groups.into_iter().map(|group| (place + 1, group)));
            }
        }
        Ok(Self { endings, emitted })
    }

    /// `group` writes the groups of emitted jobs as the script reads them.
    pub(crate) fn write(&self, question: &mut Cmd, group: impl Fn(&Group<'_>, &mut Cmd)) {
        question.arg(self.endings.len());
        for ending in &self.endings {
            ending.write(question);
        }
        question.arg(self.emitted.len());
        for (place, emitted) in &self.emitted {
            question.arg(*place);
            group(emitted, question);
        }
    }
}

impl<'a> Ending<'a> {
    fn of(settlement: &'a Settlement) -> Checked<Self> {
        let (delay, error) = means(&settlement.outcome);
        let error = error.map(codec::seal).transpose()?.unwrap_or_default();
        let result = match &settlement.outcome {
            Outcome::Complete(result) => record::result(result),
            _ => Vec::new(),
        };
        Ok(Self { settlement, delay, error, result })
    }

    fn write(&self, question: &mut Cmd) {
        let (lease, event) = (self.settlement.lease, self.settlement.outcome.event());
        let how = match event {
            Event::Complete if self.result.is_empty() => WITHOUT_RESULT,
            Event::Complete => WITH_RESULT,
            _ => OTHERWISE,
        };
        question.arg(record::settled(lease, how).as_slice());
        match how {
            WITHOUT_RESULT => {}
            WITH_RESULT => {
                question.arg(&self.result);
            }
            _ => {
                question.arg(word(event)).arg(self.delay).arg(&self.error);
            }
        }
    }
}

/// When the job may run again, and what went wrong.
fn means(outcome: &Outcome) -> (i64, Option<&JobError>) {
    match outcome {
        Outcome::Retry { delay, error } => (micros(*delay), Some(error)),
        Outcome::Snooze { delay } => (micros(*delay), None),
        Outcome::Fail(error) => (0, Some(error)),
        Outcome::Complete(_) | Outcome::Release | Outcome::Stop => (0, None),
    }
}

/// What the answers say.
pub(crate) fn fates(answers: Value) -> Checked<Vec<Fate>> {
    let fate = |answer: &Value| {
        Ok(match number(answer)? {
            0 => Fate::LeaseLost,
            code if code < 0 => Fate::Repeated(status(-code)?),
            code => Fate::Settled(status(code)?),
        })
    };
    list(answers)?.iter().map(fate).collect()
}
