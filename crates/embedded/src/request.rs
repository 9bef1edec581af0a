//! What is asked of the writer, and the way back for the answer.

use tokio::sync::oneshot;
use windlass_core::gate::Edit;
use windlass_core::{Gate, Job, JobId, ScheduleName};
use windlass_store::schedules::{Revision, Write};
use windlass_store::{
    Canceled, Error, Exchange, Exchanged, Imported, Replayed, Result, Retention, Ruled, Scope, Swept,
};

use crate::cancel::{cancel, replay};
use crate::exchange::exchange;
use crate::fault::{Checked, echo};
use crate::import::import;
use crate::ledger::Ledger;
use crate::sweep::sweep;
use crate::{gates, schedules};

/// A question with the channel for its answer. The answer waits in here until the transaction has committed.
#[derive(Debug)]
pub(crate) struct Call<Q, A> {
    ask: Q,
    channel: oneshot::Sender<Result<A>>,
    answer: Option<A>,
}

/// One of the verbs that write.
#[derive(Debug)]
pub(crate) enum Request {
    Exchange(Call<Exchange, Exchanged>),
    Cancel(Call<(JobId, Scope), Option<Canceled>>),
    Replay(Call<(JobId, Scope), Option<Replayed>>),
    Sweep(Call<usize, Swept>),
    Import(Call<Vec<Job>, Vec<Imported>>),
    Schedule(Call<Write, Option<Revision>>),
    Unschedule(Call<ScheduleName, bool>),
    Edit(Call<(Gate, Edit), ()>),
    Gates(Call<(Option<Gate>, usize), Vec<Ruled>>),
}

impl<Q, A> Call<Q, A> {
    pub(crate) fn new(ask: Q) -> (Self, oneshot::Receiver<Result<A>>) {
        let (channel, answer) = oneshot::channel();
        (Self { ask, channel, answer: None }, answer)
    }

    /// A call whose verb was done already.
    #[cfg(test)]
    pub(crate) fn answered(ask: Q, answer: A) -> (Self, oneshot::Receiver<Result<A>>) {
        let (call, receiver) = Self::new(ask);
        (Self { answer: Some(answer), ..call }, receiver)
    }

    fn apply(&mut self, verb: impl FnOnce(&Q) -> Checked<A>) -> Checked<()> {
        self.answer = Some(verb(&self.ask)?);
        Ok(())
    }

    /// Who does not wait any more gets no answer; what was done stays done.
    fn acknowledge(self) {
        if let Some(answer) = self.answer {
            let _caller_has_gone = self.channel.send(Ok(answer));
        }
    }

    fn refuse(self, error: &Error) {
        let _caller_has_gone = self.channel.send(Err(echo(error)));
    }
}

impl Request {
    /// Does what is asked inside an open transaction. May be called again after that one was rolled back.
    pub(crate) fn apply(&mut self, ledger: &mut Ledger<'_>, retention: Retention) -> Checked<()> {
        match self {
            Self::Exchange(call) => call.apply(|turn| exchange(ledger, turn)),
            Self::Cancel(call) => call.apply(|(id, scope)| cancel(ledger, *id, scope)),
            Self::Replay(call) => call.apply(|(id, scope)| replay(ledger, *id, scope)),
            Self::Sweep(call) => call.apply(|limit| sweep(ledger, *limit, retention)),
            Self::Import(call) => call.apply(|jobs| import(ledger, jobs)),
            Self::Schedule(call) => call.apply(|write| schedules::write(ledger, write)),
            Self::Unschedule(call) => call.apply(|name| schedules::remove(ledger, name)),
            Self::Edit(call) => call.apply(|(gate, edit)| gates::edit(ledger, gate, edit)),
            Self::Gates(call) => call.apply(|(after, limit)| Ok(gates::list(ledger, after.as_ref(), *limit))),
        }
    }

    /// Tells the caller that it is done, and durable.
    pub(crate) fn acknowledge(self) {
        match self {
            Self::Exchange(call) => call.acknowledge(),
            Self::Cancel(call) => call.acknowledge(),
            Self::Replay(call) => call.acknowledge(),
            Self::Sweep(call) => call.acknowledge(),
            Self::Import(call) => call.acknowledge(),
            Self::Schedule(call) => call.acknowledge(),
            Self::Unschedule(call) => call.acknowledge(),
            Self::Edit(call) => call.acknowledge(),
            Self::Gates(call) => call.acknowledge(),
        }
    }

    /// Tells the caller that nothing was done, and why.
    pub(crate) fn refuse(self, error: &Error) {
        match self {
            Self::Exchange(call) => call.refuse(error),
            Self::Cancel(call) => call.refuse(error),
            Self::Replay(call) => call.refuse(error),
            Self::Sweep(call) => call.refuse(error),
            Self::Import(call) => call.refuse(error),
            Self::Schedule(call) => call.refuse(error),
            Self::Unschedule(call) => call.refuse(error),
            Self::Edit(call) => call.refuse(error),
            Self::Gates(call) => call.refuse(error),
        }
    }

    /// How many jobs it brings, ends or cancels.
    pub(crate) fn jobs(&self) -> usize {
        match self {
            Self::Exchange(Call { ask, .. }) => ask.settle.len() + ask.submit.len(),
            Self::Sweep(Call { ask, .. }) => *ask,
            Self::Import(Call { ask, .. }) => ask.len(),
            Self::Schedule(Call { ask, .. }) => 1 + ask.jobs.len(),
            Self::Cancel(_) | Self::Replay(_) | Self::Unschedule(_) | Self::Edit(_) | Self::Gates(_) => 1,
        }
    }

    /// Roughly how many jobs it touches.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Exchange(Call { ask, .. }) => {
                self.jobs() + ask.extend.len() + ask.claim.as_ref().map_or(0, |claim| claim.limit)
            }
            _ => self.jobs(),
        }
    }

    /// Whether it brings new jobs, so that a full disk must refuse it.
    pub(crate) fn brings_jobs(&self) -> bool {
        match self {
            Self::Exchange(Call { ask, .. }) => !ask.submit.is_empty(),
            Self::Import(_) | Self::Schedule(_) => true,
            Self::Sweep(_) | Self::Cancel(_) | Self::Replay(_) | Self::Unschedule(_) => false,
            Self::Edit(_) | Self::Gates(_) => false,
        }
    }

    /// Whether refusing it loses nothing that happened already: new jobs, and no word about running ones.
    pub(crate) fn only_brings_jobs(&self) -> bool {
        let Self::Exchange(Call { ask, .. }) = self else { return false };
        self.brings_jobs() && ask.settle.is_empty() && ask.extend.is_empty()
    }

    /// Claims nothing for a caller that has gone: nobody would run the jobs until their leases end.
    pub(crate) fn forget_absent_claim(&mut self) {
        if let Self::Exchange(call) = self
            && call.channel.is_closed()
        {
            call.ask.claim = None;
        }
    }
}
