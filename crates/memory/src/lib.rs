//! The in-memory store: the fastest backend, and the readable reference for the others.
//!
//! A job lives as long as the process: everything is lost when it ends, however it ends. Acked means that the job
//! is in memory. Memory is bounded by [`Exchange::queue_limit`] for jobs that wait and by [`MemoryOptions`] for
//! jobs that have finished, and by nothing else; finished jobs go when somebody calls [`Store::sweep`].
//!
//! # Layout
//!
//! - [`Memory`] (here): the handle; each method takes the one lock, computes, and lets go
//! - [`options`]: [`MemoryOptions`], how long finished jobs are kept
//! - `table`: all jobs, and `apply`, the one way in which a job changes
//! - `submit` (and import), `settle`, `lease` (extend), `claim`, `sweep`, `schedules`, `query`: one verb each, as methods of the table
//! - `gates`: claims where rules are set; `turns`: where queues are shared
//! - `holders`: who has the keys of unique jobs
//! - `timetable`: schedules by name and by when they are due
//! - `index`, `queue`: where to find a job by what it waits for; `owned`: by whose it is
//! - `pages`: all jobs by number
//! - `entry`: one job with its lease and history
//!
//! ```
//! use windlass_core::{NewJob, Payload, Status, Timestamp};
//! use windlass_memory::Memory;
//! use windlass_store::{Scope, Store, Verbs};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Memory::new();
//! let job = NewJob::build("Greet", Payload::json("world")?).finish(Timestamp::UNIX_EPOCH)?;
//! let id = job.id;
//! let _ = store.submit(vec![job]).await?;
//! let kept = store.get(id, &Scope::Everything).await?;
//! assert_eq!(kept.map(|job| job.status), Some(Status::Queued));
//! # Ok(())
//! # }
//! ```
//!
//! [`Exchange::queue_limit`]: windlass_store::Exchange::queue_limit

mod claim;
#[cfg(test)]
mod consistency;
mod entry;
mod gates;
mod holders;
mod index;
mod lease;
pub mod options;
mod owned;
mod pages;
mod query;
mod queue;
mod schedules;
mod settle;
mod submit;
mod sweep;
mod table;
mod timetable;
mod turns;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use windlass_core::gate::Edit;
use windlass_core::{Clock, Gate, Incarnation, Job, JobId, QueueName, ScheduleName, SystemClock, Timestamp};
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};
use windlass_store::{
    Admin, Canceled, Counts, Error, ErrorKind, Exchange, Exchanged, Filter, Gates, Hint, Hints, Import, Imported,
    Lease, Page, Query, Replayed, Result, Ruled, Schedules, Scope, Store, Swept,
};

pub use crate::options::MemoryOptions;
use crate::query::Search;
use crate::table::Table;

/// How many hints a slow listener may be behind before it loses the oldest.
const HINTS_KEPT: usize = 1_024;

/// Keeps jobs in this process's memory. Clones share them.
#[derive(Clone)]
pub struct Memory(Arc<Shared>);

struct Shared {
    table: Mutex<Table>,
    clock: Arc<dyn Clock>,
    hints: broadcast::Sender<Hint>,
}

impl Memory {
    /// An empty store that goes by the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store that goes by `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::with_options(MemoryOptions::default(), clock)
    }

    /// An empty store that goes by `clock` and keeps finished jobs as long as `options` say.
    pub fn with_options(options: MemoryOptions, clock: Arc<dyn Clock>) -> Self {
        let (hints, _) = broadcast::channel(HINTS_KEPT);
        Self(Arc::new(Shared { table: Mutex::new(Table::new(options)), clock, hints }))
    }

    /// Does `work` under the lock and tells the others afterwards when it left something for them. The time is read
    /// under the lock too, so that writes and their times come in one order.
    fn with<T>(&self, work: impl FnOnce(&mut Table, Timestamp) -> T) -> Result<T> {
        let (done, news, asked) = {
            let mut table = self.0.table.lock().map_err(|_| interrupted())?;
            let now = self.0.clock.now();
            (work(&mut table, now), table.take_news(now), std::mem::take(&mut table.asked))
        };
        asked.into_iter().for_each(|id| self.send(Hint::CancelRequested(id)));
        if news {
            self.send(Hint::Ready);
        }
        Ok(done)
    }

    fn send(&self, hint: Hint) {
        // Fails only when nobody listens.
        let _ = self.0.hints.send(hint);
    }
}

/// A panic under the lock may have left a job half changed; no answer is better than a wrong one.
fn interrupted() -> Error {
    Error::new(ErrorKind::Poisoned, "an earlier call panicked and may have left the jobs in memory inconsistent")
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Memory {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        self.with(|table, now| Exchanged {
            fates: turn.settle.into_iter().map(|settlement| table.settle(settlement, now)).collect(),
            extended: turn.extend.into_iter().map(|extend| table.extend(extend, now)).collect(),
            submitted: turn.submit.into_iter().map(|new| table.submit_for_caller(new, turn.queue_limit, now)).collect(),
            claimed: turn.claim.map(|claim| table.claim(&claim, now)).unwrap_or_default(),
        })
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        self.with(|table, _| table.find_in(id, scope).map(|entry| entry.view()))
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        self.with(|table, now| table.cancel(id, scope, now))
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.with(|table, now| table.sweep(limit, now))
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        self.with(|table, _| table.held_by(worker))
    }

    fn hints(&self) -> Hints {
        Hints::new(self.0.hints.subscribe())
    }

    async fn ping(&self) -> Result<()> {
        self.with(|_, _| ())
    }

    fn name(&self) -> &'static str {
        "memory"
    }

    fn query(&self) -> Option<&dyn Query> {
        Some(self)
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    fn importer(&self) -> Option<&dyn Import> {
        Some(self)
    }

    fn schedules(&self) -> Option<&dyn Schedules> {
        Some(self)
    }

    fn gates(&self) -> Option<&dyn Gates> {
        Some(self)
    }
}

#[async_trait]
impl Gates for Memory {
    async fn edit_gate(&self, gate: &Gate, edit: Edit) -> Result<()> {
        self.with(|table, now| table.edit_gate(gate, &edit, now))?;
        self.send(Hint::Ready);
        Ok(())
    }

    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> Result<Vec<Ruled>> {
        self.with(|table, _| table.keeper.list(after, limit))
    }
}

#[async_trait]
impl Schedules for Memory {
    async fn write_schedule(&self, write: Write) -> Result<Option<Revision>> {
        let written = self.with(|table, now| table.write(write, now))?;
        if written.is_some() {
            self.send(Hint::Schedules);
        }
        Ok(written)
    }

    async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Kept>> {
        self.with(|table, _| table.schedules.find(name))
    }

    async fn list_schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<Kept>> {
        self.with(|table, _| table.schedules.list(after, limit))
    }

    async fn due_schedules(&self, limit: usize) -> Result<DueSchedules> {
        self.with(|table, now| table.schedules.due(limit, now))
    }

    async fn remove_schedule(&self, name: &ScheduleName) -> Result<bool> {
        self.with(|table, _| table.schedules.remove(name))
    }
}

#[async_trait]
impl Import for Memory {
    async fn import(&self, jobs: Vec<Job>) -> Result<Vec<Imported>> {
        self.with(|table, now| jobs.into_iter().map(|job| table.import(job, now)).collect())
    }
}

#[async_trait]
impl Query for Memory {
    async fn counts(&self) -> Result<Counts> {
        self.with(|table, _| table.counts())
    }

    async fn oldest_waiting(&self, queues: &[QueueName]) -> Result<Vec<Option<Duration>>> {
        self.with(|table, now| queues.iter().map(|queue| table.oldest_waiting(queue, now)).collect())
    }

    async fn list(&self, filter: &Filter) -> Result<Page> {
        let mut search = Search::new(filter);
        while self.with(|table, _| table.search(&mut search))? {
            tokio::task::yield_now().await;
        }
        Ok(search.finish())
    }
}

#[async_trait]
impl Admin for Memory {
    async fn replay(&self, id: JobId, scope: &Scope) -> Result<Option<Replayed>> {
        self.with(|table, now| table.replay(id, scope, now))
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::{JobName, NewJob, Payload};
    use windlass_store::Verbs;

    use super::*;

    fn job(name: &str) -> NewJob {
        NewJob::build(name, Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid")
    }

    #[tokio::test]
    async fn a_listing_goes_on_until_it_has_a_page() {
        let store = Memory::new();
        let mut jobs: Vec<NewJob> = (0..10_000).map(|_| job("Common")).collect();
        jobs.extend([job("Rare"), job("Rare")]);
        let last = jobs.last().map(|job| job.id);
        let _ = store.submit(jobs).await.expect("stored");

        let name = Some(JobName::new("Rare").expect("valid"));
        let first = store.list(&Filter { name, limit: 1, ..Filter::default() }).await.expect("listed");
        assert_eq!((first.jobs.len(), first.next), (1, Some(10_001)));
        let rest = store.list(&Filter { after: first.next, limit: 0, ..Filter::default() }).await.expect("listed");
        assert_eq!((rest.jobs.first().map(|job| job.new.id), rest.next), (last, None));
    }

    /// Panics as soon as it is read, which the store does under its lock.
    struct BrokenClock;

    impl Clock for BrokenClock {
        fn now(&self) -> Timestamp {
            panic!("a broken clock");
        }
    }

    #[tokio::test]
    async fn after_a_panic_under_the_lock_the_store_refuses_everything() {
        let store = Memory::with_clock(Arc::new(BrokenClock));
        let broken = store.clone();
        tokio::spawn(async move { broken.ping().await }).await.expect_err("the clock panics");
        let refused = store.ping().await.expect_err("the lock is poisoned");
        assert_eq!(refused.kind(), ErrorKind::Poisoned);
    }
}
