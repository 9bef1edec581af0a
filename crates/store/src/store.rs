//! The trait that every backend implements.

use std::sync::Arc;

use async_trait::async_trait;
use windlass_core::{Incarnation, Job, JobId};

use crate::capability::{Admin, Query};
use crate::error::Result;
use crate::exchange::{Exchange, Exchanged, Lease};
use crate::gates::Gates;
use crate::hint::Hints;
use crate::import::Import;
use crate::schedules::Schedules;
use crate::scope::Scope;

/// Keeps jobs. The conformance suite in `windlass-testkit` proves these promises for every implementation:
///
/// - *Acked is durable.* A method answers after its write is durable at the level that the backend documents.
/// - *Fencing.* Every write to a running job is a compare-and-set on (id, `InProgress`, token).
/// - *Settling is idempotent* for the same token, so that an unknown outcome is resolved by asking again.
/// - *Time is the store's.* No caller's clock takes part in any decision.
/// - *One decision.* What an event does to a job is what `windlass_core::state::next` says.
///
/// The methods are cancel-safe: a dropped future leaves the store consistent, with the write done or not done.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Settles, extends, submits and claims in one round trip and one transaction, in that order.
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged>;

    /// The job, if it exists and `scope` may see it. The check is part of the query: a stranger's job and no job
    /// are one answer.
    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>>;

    /// Cancels a waiting or failed job, or asks the handler of a running one to stop. `None` as for [`get`](Self::get).
    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>>;

    /// Makes due jobs ready, takes back expired leases, fails waiting jobs that have expired, and removes finished jobs whose
    /// time is over: at most `limit` of each. A job that ran when it expired and came back fails within
    /// [`AGAIN`](crate::expiry::AGAIN) and a sweep. Safe to call from any process at any time.
    async fn sweep(&self, limit: usize) -> Result<Swept>;

    /// The leases that `worker` was given and that nothing has ended: neither a settlement nor a sweep, though they may have
    /// run out. A process whose claim was answered by silence finds among them the jobs that it never heard of, so that it
    /// can give them back, which spends nothing; left alone, their leases run out and count as crashes.
    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>>;

    /// A new subscription to the store's hints. Hints may be lost or come twice; polling is what correctness rests on.
    fn hints(&self) -> Hints;

    /// Stands when the store answers: a cheap read, for readiness.
    async fn ping(&self) -> Result<()>;

    /// What this backend is called in metrics and messages: `memory`, `embedded`, `redis`, …
    fn name(&self) -> &'static str;

    /// Whether answers come from a thread of this process, which goes on whatever the caller does. Who stays awake for one
    /// may keep its own thread then; an answer over a socket is read by the runtime, which is let run meanwhile.
    fn is_in_process(&self) -> bool {
        false
    }

    /// Lists and counts, where the backend can.
    fn query(&self) -> Option<&dyn Query> {
        None
    }

    /// An operator's actions, where the backend can.
    fn admin(&self) -> Option<&dyn Admin> {
        None
    }

    /// Keeps schedules, where the backend can.
    fn schedules(&self) -> Option<&dyn Schedules> {
        None
    }

    /// Keeps rules about which jobs may start, where the backend can.
    fn gates(&self) -> Option<&dyn Gates> {
        None
    }

    /// Takes in jobs from another store, where the backend can.
    fn importer(&self) -> Option<&dyn Import> {
        None
    }
}

/// What a cancellation did.
#[derive(Clone, Debug, PartialEq)]
pub enum Canceled {
    /// The job is `Canceled` now, and this is what it looks like.
    Done(Box<Job>),
    /// It runs; its handler has been asked to stop.
    Requested(Box<Job>),
    /// It had finished before; nothing changed.
    TooLate(Box<Job>),
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Scheduled jobs that became ready.
    pub promoted: usize,
    /// Jobs whose lease had run out and that are ready again.
    pub reclaimed: usize,
    /// Jobs whose lease had run out once too often and that failed as poisoned.
    pub quarantined: usize,
    /// Canceled jobs whose lease had run out and that ended as canceled.
    pub stopped: usize,
    /// Jobs that still waited when they were not worth running any more, and that failed as expired.
    pub expired: usize,
    /// Finished jobs removed by retention.
    pub pruned: usize,
    /// Whether some list was full, so that sweeping again at once pays.
    pub more: bool,
}

/// Shares one store.
pub type SharedStore = Arc<dyn Store>;
