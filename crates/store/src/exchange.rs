//! Everything a process wants from the store in one round trip, and everything it gets.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::state::Event;
use windlass_core::{
    Gate, Incarnation, JobError, JobId, JobName, NewJob, Payload, Progress, QueueName, Status, Timestamp,
};

/// A fencing token (Kleppmann, "How to do distributed locking", 2016): issued by the store with every claim,
/// strictly increasing per job, never used again. A write with an older token changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// The right to run one attempt of one job and to say how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// The proof.
    pub token: Token,
}

/// One turn: what a process tells the store and asks of it. Stores apply it in the order of its fields, so that
/// a slot freed or a job emitted by a settlement is claimable in the same turn.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// Attempts that ended.
    pub settle: Vec<Settlement>,
    /// Leases to be kept.
    pub extend: Vec<Extend>,
    /// New jobs, shared with whoever waits for the answer.
    pub submit: Vec<Arc<NewJob>>,
    /// A submission to a queue in which this many jobs wait already is refused with
    /// [`SubmitOutcome::QueueFull`]. Jobs emitted by a settlement are exempt: they commit with their cause.
    pub queue_limit: Option<u64>,
    /// Work wanted.
    pub claim: Option<Claim>,
}

/// How one attempt ended, and the follow-up work that appears if and only if this settlement is accepted.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The right to say so.
    pub lease: Lease,
    /// How it ended.
    pub outcome: Outcome,
    /// Jobs the handler emitted. Their ids derive from the parent's, so a repetition makes none twice. Stored
    /// only when the outcome is [`Outcome::Complete`].
    pub emitted: Vec<Arc<NewJob>>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The handler succeeded with this result.
    Complete(Payload),
    /// It failed and runs again after `delay`, as the job's policy says. Spends a retry.
    Retry {
        /// From the store's now.
        delay: Duration,
        /// Why it failed.
        error: JobError,
    },
    /// It failed for good.
    Fail(JobError),
    /// It asked to run again after `delay`, or this process has no handler for it. Spends nothing.
    Snooze {
        /// From the store's now.
        delay: Duration,
    },
    /// It never ran here, or was interrupted by a shutdown. Claimable at once. Spends nothing.
    Release,
    /// Its handler stopped because the job was canceled.
    Stop,
}

/// Keeps a lease alive, and says how far its attempt is.
#[derive(Clone, Debug)]
pub struct Extend {
    /// The lease.
    pub lease: Lease,
    /// How long it shall last from the store's now.
    pub duration: Duration,
    /// News of the attempt, if there are any.
    pub progress: Option<Progress>,
}

/// Work wanted by a process.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The queues it serves, most important first.
    pub queues: Vec<QueueName>,
    /// The most jobs it can take.
    pub limit: usize,
    /// How long its leases shall last.
    pub lease: Duration,
    /// Which process start it is.
    pub worker: Incarnation,
    /// How many of the jobs may be *suspects* (see [`RetryPolicy::is_suspect`]): 1 when none runs in this
    /// process, else 0. A suspect that may go goes before the other jobs of its queue.
    ///
    /// [`RetryPolicy::is_suspect`]: windlass_core::RetryPolicy::is_suspect
    pub suspects: usize,
    /// The handlers whose jobs it takes; `None` for all. Jobs of others keep their places for processes that serve them, and hold
    /// up nobody.
    pub handlers: Option<Arc<[JobName]>>,
}

/// The store's answers, each list in the order of its question.
#[derive(Clone, Debug, Default)]
pub struct Exchanged {
    /// What became of the settlements.
    pub fates: Vec<Fate>,
    /// What became of the leases.
    pub extended: Vec<Extension>,
    /// What became of the submissions.
    pub submitted: Vec<Submitted>,
    /// The work.
    pub claimed: Claimed,
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Accepted: the job stands here now.
    Settled(Status),
    /// The same lease settled the job before; nothing changed. The answer to a repeated question.
    Repeated(Status),
    /// The lease was lost before: it ran out, or the job was taken back, claimed again or replayed since. Nothing
    /// changed.
    LeaseLost,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// It lasts for the duration asked for.
    Kept,
    /// It lasts, and the job's cancellation is requested: the handler should stop.
    CancelRequested,
    /// It is lost: the handler must stop, whatever it does is refused.
    Lost,
}

/// What became of a submission. Never ignore it: only here the caller learns that its job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Submitted {
    /// The job that stands now under the id submitted.
    pub id: JobId,
    /// How it got there.
    pub outcome: SubmitOutcome,
    /// The store's now.
    pub at: Timestamp,
}

/// How a submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// A new job was stored, with this status ([`Status::Queued`] or [`Status::Scheduled`]).
    Created(Status),
    /// A job of this id that asks for the same work exists; nothing was stored.
    Existing,
    /// A job of this id exists that asks for other work or is another owner's; nothing was stored.
    Conflict,
    /// The queue is full; nothing was stored.
    QueueFull,
    /// As many jobs of its owner wait as may ([`Gate::Owner`]); nothing was stored.
    OwnerFull,
    /// Its owner has submitted as many as it may ([`Gate::Owner`]); nothing was stored.
    OverRate {
        /// When it may submit again, from the store's now.
        retry_after: Duration,
    },
    /// A job stands that is the same ([`Unique`](windlass_core::Unique)); nothing was stored. The answer's id is that job's.
    Duplicate,
    /// The job was stored in place of this one, which is canceled if it waited, and asked to stop if it runs: it was the same
    /// ([`Unique`](windlass_core::Unique)), or it made room where as many waited as may, in its queue or of its owner
    /// ([`Backlog::drop_oldest`](windlass_core::Backlog::drop_oldest)). Where one made room for its owner and another in its queue, this
    /// is the owner's.
    Replaced(JobId),
}

/// The work a process got, and when to come back.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// Jobs whose leases the process holds now.
    pub jobs: Vec<ClaimedJob>,
    /// How long until the next scheduled job of these queues is due, when there is one. Without it and without
    /// a hint there is no reason to ask before the fallback poll.
    pub next_due: Option<Duration>,
    /// Whether jobs of these queues are still ready (suspects included), so that asking again at once pays.
    pub more: bool,
    /// Whether a part of the store did not answer, which may have given jobs all the same: see
    /// [`Store::held_by`](crate::Store::held_by).
    pub unheard: bool,
}

/// One claimed job.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// The right to run it.
    pub lease: Lease,
    /// What was submitted.
    pub new: Arc<NewJob>,
    /// Retries spent before this attempt.
    pub retries: u32,
    /// Leases lost before this attempt.
    pub crashes: u32,
    /// When the job was accepted, for the time it waited.
    pub created_at: Timestamp,
    /// When this attempt was given out.
    pub started_at: Timestamp,
}

impl Outcome {
    /// What the outcome is to the state table.
    pub fn event(&self) -> Event {
        match self {
            Self::Complete(_) => Event::Complete,
            Self::Retry { .. } => Event::Retry,
            Self::Fail(_) => Event::Fail,
            Self::Snooze { .. } => Event::Snooze,
            Self::Release => Event::Release,
            Self::Stop => Event::Stop,
        }
    }
}

impl ClaimedJob {
    /// The number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.retries + self.crashes + 1
    }

    /// Whether it must be the only suspect in its process.
    pub fn is_suspect(&self) -> bool {
        self.new.retry.is_suspect(self.crashes)
    }
}

impl Claim {
    /// Whether it takes jobs of this handler.
    pub fn serves(&self, handler: &JobName) -> bool {
        self.handlers.as_ref().is_none_or(|handlers| handlers.contains(handler))
    }

    /// Whether those who wait at a gate may be for it: at that of a handler that it does not serve none is.
    pub fn looks_at(&self, gate: &Gate) -> bool {
        match gate {
            Gate::Handler(handler) => self.serves(handler),
            _ => true,
        }
    }
}

impl Exchange {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.settle.is_empty() && self.extend.is_empty() && self.submit.is_empty() && self.claim.is_none()
    }
}
