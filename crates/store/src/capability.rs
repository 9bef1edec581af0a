//! What only some stores offer. A missing capability is a visible skip in the conformance report.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use windlass_core::{Job, JobId, JobName, QueueName, Status};

use crate::error::Result;
use crate::scope::Scope;

/// How many jobs at the head of a line are looked at for the one that has waited longest.
pub const HEAD: usize = 8;
/// At how many gates or lines of a queue stores look for that, at least; those of each priority count as one.
pub const LINES: usize = 256;

/// Lists and counts jobs, for dashboards, command lines and migrations.
#[async_trait]
pub trait Query: Send + Sync {
    /// How many jobs of each queue have each status.
    async fn counts(&self) -> Result<Counts>;

    /// For how long the job of each of `queues` that has been ready longest has waited, by the store's clock: in the order
    /// of the queues, `None` where none is ready. Jobs of paused queues, at gates and in the lines of shared queues wait too.
    ///
    /// A job is ready from its acceptance on, or from when it last became so: a delayed job or a retry from the sweep or claim
    /// that found it due, one that was given back, taken back or replayed from that moment.
    ///
    /// It costs a few look-ups, however many jobs wait, so it may say less than it is, but never more: in each line, of one
    /// priority, only the first [`HEAD`] jobs are looked at, which are those that were accepted first; where all of these have
    /// come back lately, they stand for those behind them. And where the jobs of a queue wait at very many gates or in very
    /// many lines, stores may look at [`LINES`] of those only.
    async fn oldest_waiting(&self, queues: &[QueueName]) -> Result<Vec<Option<Duration>>>;

    /// One page of jobs in order of acceptance, with where the next page begins.
    async fn list(&self, filter: &Filter) -> Result<Page>;
}

/// An operator's actions on single jobs.
#[async_trait]
pub trait Admin: Send + Sync {
    /// Sends a dead letter round again: `Failed` → `Queued`, retries and crashes back to zero, history kept.
    /// `None` when there is no such job in `scope`.
    async fn replay(&self, id: JobId, scope: &Scope) -> Result<Option<Replayed>>;
}

/// Jobs by queue and status. Absent means zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<(QueueName, Status), u64>);

impl Counts {
    /// How many jobs of `queue` have `status`.
    pub fn get(&self, queue: &QueueName, status: Status) -> u64 {
        self.0.get(&(queue.clone(), status)).copied().unwrap_or(0)
    }

    /// How many jobs have `status`, in all queues.
    pub fn total(&self, status: Status) -> u64 {
        self.0.iter().filter(|((_, counted), _)| *counted == status).map(|(_, count)| count).sum()
    }
}

/// Which jobs to list. Empty fields do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Jobs of this queue.
    pub queue: Option<QueueName>,
    /// Jobs of this name.
    pub name: Option<JobName>,
    /// Jobs with this status.
    pub status: Option<Status>,
    /// Jobs that the scope allows.
    pub scope: Scope,
    /// Where to begin: [`Page::next`] of the page before.
    pub after: Option<u64>,
    /// How many at most; more than [`PAGE_MAX`](windlass_core::limits::PAGE_MAX) gives that many.
    pub limit: usize,
}

/// A page of jobs.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// What to put into [`Filter::after`] for the next page; `None` on the last.
    pub next: Option<u64>,
}

/// What a replay did.
#[derive(Clone, Debug, PartialEq)]
pub enum Replayed {
    /// The job is `Queued` again.
    Done(Box<Job>),
    /// It is not a dead letter; nothing changed.
    NotFailed(Box<Job>),
}
