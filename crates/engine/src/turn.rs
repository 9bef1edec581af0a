//! One turn: what is asked of the store, and who waits for which answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use windlass_core::{NewJob, QueueName};
use windlass_store::{Claim, Exchange, Exchanged, Lease, Settlement, Submitted};

use crate::error::Error;
use crate::shared::Shared;
use crate::worker::Attempt;

/// Where one caller waits for what became of its jobs.
pub(crate) type Reply = oneshot::Sender<Result<Vec<Submitted>, Error>>;

/// Jobs of one caller who waits for the answer.
pub(crate) struct Submittal {
    pub(crate) jobs: Vec<Arc<NewJob>>,
    pub(crate) reply: Reply,
}

/// What waits to be sent.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub(crate) settle: Vec<Settlement>,
    pub(crate) submit: Vec<Submittal>,
    /// Empty; the room of a turn that has landed, for the next to gather in. Fresh memory for every turn would have to
    /// be cleared by the system first.
    room: Vec<Settlement>,
}

/// A turn under way: the answer's address book.
pub(crate) struct Turn {
    settle: Vec<Settlement>,
    submit: Vec<(usize, Reply)>,
    pub(crate) claim_limit: usize,
    /// The queues that it asks for work, in their order.
    pub(crate) queues: Vec<QueueName>,
    pub(crate) suspects: usize,
    /// Whether it asks, before anything else, which leases this process has.
    takes_stock: bool,
    pub(crate) sent: Instant,
}

/// A turn that came back.
pub(crate) struct Answered {
    pub(crate) turn: Turn,
    pub(crate) answer: windlass_store::Result<Exchanged>,
    /// The jobs it claimed. They are in the registry already, so their leases are kept.
    pub(crate) attempts: Vec<Attempt>,
    /// Leases of this process that it never heard of, if it took stock.
    pub(crate) unheard: Option<windlass_store::Result<Vec<Lease>>>,
    pub(crate) took: Duration,
}

impl Submittal {
    /// Tells the caller that nothing was stored.
    pub(crate) fn refuse(self, error: &Error) {
        // A caller who has left does not mind.
        let _ = self.reply.send(Err(error.clone()));
    }
}

impl Outgoing {
    pub(crate) fn is_empty(&self) -> bool {
        self.settle.is_empty() && self.submit.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.settle.len() + self.submit.iter().map(|submittal| submittal.jobs.len()).sum::<usize>()
    }

    /// How many jobs may start in consequence: one for each that it brings, ends or emits.
    pub(crate) fn starts(&self) -> usize {
        self.len() + self.settle.iter().map(|settlement| settlement.emitted.len()).sum::<usize>()
    }

    /// Makes everything that waits into one turn; when `apart`, new jobs wait for the next if anything is to be settled.
    pub(crate) fn compose(&mut self, claim: Option<Claim>, apart: bool, queue_limit: u64) -> (Turn, Exchange) {
        let settle = std::mem::replace(&mut self.settle, std::mem::take(&mut self.room));
        let mut submit = Vec::new();
        let mut replies = Vec::with_capacity(self.submit.len());
        let going = if apart && !settle.is_empty() { 0 } else { self.submit.len() };
        for Submittal { mut jobs, reply } in self.submit.drain(..going) {
            replies.push((jobs.len(), reply));
            submit.append(&mut jobs);
        }
        let to_send = settle.clone();
        let turn = Turn {
            settle,
            submit: replies,
            claim_limit: claim.as_ref().map_or(0, |claim| claim.limit),
            queues: claim.as_ref().map_or_else(Vec::new, |claim| claim.queues.clone()),
            suspects: claim.as_ref().map_or(0, |claim| claim.suspects),
            takes_stock: false,
            sent: Instant::now(),
        };
        (turn, Exchange { settle: to_send, extend: Vec::new(), submit, queue_limit: Some(queue_limit), claim })
    }

    /// Takes over the room of a turn that has landed.
    pub(crate) fn reuse(&mut self, landed: Turn) {
        self.room = landed.settle;
        self.room.clear();
    }
}

impl Turn {
    /// Has it ask which leases this process has, after an answer to a claim got lost. It must claim nothing itself, and no
    /// claim may be under way beside it.
    pub(crate) fn take_stock(mut self) -> Self {
        self.takes_stock = true;
        self
    }

    /// Sends the turn and keeps its address book beside it.
    pub(crate) async fn send(self, exchange: Exchange, shared: Arc<Shared>) -> Answered {
        let unheard = if self.takes_stock { Some(unheard(&shared).await) } else { None };
        let mut answer = match exchange.is_empty() {
            // Nothing but whether the store answers.
            true => shared.store.ping().await.map(|()| Exchanged::default()),
            false => shared.store.exchange(exchange).await,
        };
        let took = self.sent.elapsed();
        let attempts = answer.as_mut().map_or_else(|_| Vec::new(), |exchanged| self.hold(exchanged, &shared));
        Answered { turn: self, answer, attempts, unheard, took }
    }

    fn hold(&self, exchanged: &mut Exchanged, shared: &Shared) -> Vec<Attempt> {
        let claimed = std::mem::take(&mut exchanged.claimed.jobs);
        let attempts: Vec<_> = claimed.into_iter().map(|job| Attempt::new(job, shared)).collect();
        let held = attempts.iter().map(|attempt| (attempt.claimed.lease, attempt.context.clone()));
        shared.registry.add(held, self.sent, shared.settings.lease);
        attempts
    }

    /// How many jobs it settles and submits.
    pub(crate) fn jobs(&self) -> usize {
        self.settle.len() + self.submit.iter().map(|(jobs, _)| jobs).sum::<usize>()
    }

    /// The leases settled, in the order of their fates.
    pub(crate) fn leases(&self) -> impl Iterator<Item = Lease> {
        self.settle.iter().map(|settlement| settlement.lease)
    }

    /// Hands every submitter its part of the answer. A caller who has left is no matter: its jobs are stored.
    pub(crate) fn reply(&mut self, mut submitted: Vec<Submitted>) {
        for (count, reply) in self.submit.drain(..) {
            let rest = submitted.split_off(count.min(submitted.len()));
            let _ = reply.send(Ok(std::mem::replace(&mut submitted, rest)));
        }
    }

    /// Tells every submitter that the store failed, and returns the settlements, which must be sent again.
    pub(crate) fn fail(self, error: &Error) -> Vec<Settlement> {
        for (_, reply) in self.submit {
            let _ = reply.send(Err(error.clone()));
        }
        self.settle
    }
}

/// What the store gave this process and it does not know of.
async fn unheard(shared: &Shared) -> windlass_store::Result<Vec<Lease>> {
    let mut leases = shared.store.held_by(shared.worker).await?;
    leases.retain(|lease| !shared.registry.knows(*lease));
    Ok(leases)
}
