//! The handle: what applications hold.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::{self, Handle};
use tokio::sync::broadcast;
use windlass_core::gate::Edit;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Gate, Incarnation, Job, JobId, QueueName, Schedule, ScheduleName};
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};
use windlass_store::{
    Admin, Canceled, Counts, Exchange, Exchanged, Filter, Gates, Hint, Hints, Import, Imported, Lease, Page, Query,
    Replayed, Result, Ruled, Schedules, Scope, Store, Swept,
};

use crate::address::Address;
use crate::asking::{Asking, Keys};
use crate::driver::Driver;
use crate::fault::{Checked, Fault};
use crate::link::Link;
use crate::listen::listen;
use crate::opening;
use crate::options::RedisOptions;
use crate::scripts::{PLAIN, Scripts};
use crate::shards::{Shards, ask_all};
use crate::{expiry, gates, schedules, whole};

/// Hints that a slow subscriber may be behind before it gets `Ready` in place of what it missed.
const HINTS: usize = 1_024;

/// How long opening waits until hints can be heard.
const FIRST_HINT: Duration = Duration::from_secs(1);

/// A store on Redis. Clones are cheap and share their connections.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    /// The connection that the runtime drives on which the store was opened.
    link: Link,
    home: runtime::Id,
    /// A connection for callers from elsewhere: the engine keeps leases alive from a runtime of its own, for the case that
    /// handlers block this one.
    lifeline: Link,
    /// The connection for what replicas are waited for.
    confirming: Link,
    /// The keys of a store of one shard; what kind of store it is stands there in any case.
    keys: Keys,
    shards: Shards,
    scripts: &'static Scripts,
    options: RedisOptions,
    hints: broadcast::Sender<Hint>,
    _driver: Driver,
}

impl Redis {
    /// Settings other than the defaults; end with [`RedisOptions::open`].
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }
}

impl RedisOptions {
    /// Connects to `redis://user:password@host:port/database`, to `redis-cluster://host:port,host:port`, or to whichever
    /// server `redis-sentinel://host:port,host:port/name` names; `rediss` in place of `redis` encrypts.
    ///
    /// # Errors
    ///
    /// `Config` when the address is none, the server is older than 6.2, evicts keys, does not trust this user or holds
    /// what a newer Windlass wrote, or an early one; `Unavailable` when no server answers.
    pub async fn open(self, url: &str) -> Result<Redis> {
        Ok(open(self, url).await?)
    }
}

async fn open(options: RedisOptions, url: &str) -> Checked<Redis> {
    let address = Arc::new(Address::of(url, &options)?);
    check_replicas(&options, &address)?;
    let driver = Driver::start()?;
    let (hints, _) = broadcast::channel(HINTS);
    let mut shared = Shared {
        link: Link::new(address.clone(), None),
        home: Handle::current().id(),
        lifeline: Link::new(address.clone(), Some(driver.handle())),
        confirming: Link::new(address.clone(), Some(driver.handle())),
        keys: Keys::of(&options.prefix),
        shards: Shards::of(&options.prefix, 1),
        scripts: &PLAIN,
        options,
        hints,
        _driver: driver,
    };
    let shards;
    (shared.scripts, shards) = opening::check(&shared.asking(), shared.options.shards).await?;
    shared.shards = Shards::of(&shared.options.prefix, shards);
    let mut first = Hints::new(shared.hints.subscribe());
    shared._driver.spawn(listen(address, shared.keys.channel.clone(), shared.hints.clone()));
    // It says so when it has begun to listen. Without it the store works all the same, by polling.
    let _deaf_for_now = tokio::time::timeout(FIRST_HINT, first.next()).await;
    Ok(Redis { shared: Arc::new(shared) })
}

fn check_replicas(options: &RedisOptions, address: &Address) -> Checked<()> {
    let Some(replicas) = options.replicas else { return Ok(()) };
    if address.is_cluster() {
        return Err(Fault::config("on a cluster, replicas cannot be waited for"));
    }
    if replicas.timeout >= options.answer_timeout {
        return Err(Fault::config("replicas must be waited for less long than for answers (answer_timeout)"));
    }
    Ok(())
}

impl Shared {
    fn asking(&self) -> Asking<'_> {
        let link = if Handle::current().id() == self.home { &self.link } else { &self.lifeline };
        let at = self.options.clock.as_ref().map(|clock| clock.now().as_micros());
        let replicas = self.options.replicas.map(|replicas| (replicas, &self.confirming));
        Asking { link, keys: &self.keys, scripts: self.scripts, at, replicas }
    }

    /// The shard that has the job, if anyone has.
    fn with(&self, id: JobId) -> Asking<'_> {
        self.shards.with(id, &self.asking())
    }

    async fn counts(&self) -> Checked<Counts> {
        let mut counts = Counts::default();
        for shard in self.shards.all(&self.asking()) {
            counts = whole::count(&shard, counts).await?;
        }
        Ok(counts)
    }

    async fn oldest_waiting(&self, queues: &[QueueName]) -> Checked<Vec<Option<Duration>>> {
        let all = self.shards.all(&self.asking());
        let waits = ask_all(&all, |shard| whole::oldest_waiting(shard, queues)).await?;
        let of_all = |place: usize| waits.iter().filter_map(|of_shard| of_shard.get(place).copied().flatten()).max();
        Ok((0..queues.len()).map(of_all).collect())
    }

    async fn list(&self, filter: &Filter) -> Checked<Page> {
        let all = self.shards.all(&self.asking());
        let found = ask_all(&all, |shard| whole::some_after(shard, filter)).await?;
        Ok(whole::page(filter, found.into_iter().flatten().collect()))
    }

    async fn held_by(&self, worker: Incarnation) -> Checked<Vec<Lease>> {
        let all = self.shards.all(&self.asking());
        let held = ask_all(&all, |shard| whole::held_by(shard, worker)).await?;
        Ok(held.into_iter().flatten().collect())
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Checked<Vec<Kept>> {
        let all = self.shards.all(&self.asking());
        let mut found = ask_all(&all, |shard| schedules::list(shard, after, limit)).await?.concat();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found.truncate(limit.min(PAGE_MAX));
        Ok(found)
    }

    async fn due_schedules(&self, limit: usize) -> Checked<DueSchedules> {
        let all = self.shards.all(&self.asking());
        let said = ask_all(&all, |shard| schedules::due(shard, limit)).await?;
        Ok(schedules::due_of_all(said, limit.min(PAGE_MAX)))
    }

    async fn ping(&self) -> Checked<()> {
        ask_all(&self.shards.all(&self.asking()), opening::ping).await?;
        Ok(())
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Checked<Option<Canceled>> {
        let canceled = whole::change(&self.with(id), &self.scripts.cancel, id, scope).await?;
        Ok(canceled.map(|(said, job)| match said {
            1 => Canceled::Done(job),
            2 => Canceled::Requested(job),
            _ => Canceled::TooLate(job),
        }))
    }

    async fn edit_gate(&self, gate: &Gate, edit: &Edit) -> Checked<()> {
        let asking = self.asking();
        let shards = self.shards.all(&asking);
        let limits = match edit {
            Edit::Limit(limits) => !limits.is_none(),
            Edit::Backlog(backlog) => !backlog.is_none(),
            Edit::Rate { rate, .. } => rate.is_some(),
            Edit::Hold(_) => true,
            Edit::Pause(_) | Edit::Resume | Edit::Share(_) | Edit::Aging(_) => false,
        };
        if limits && shards.len() > 1 {
            return Err(Fault::config(
                "limits hold in one shard; a store that is spread among several keeps pauses only",
            ));
        }
        for shard in &shards {
            gates::edit(shard, gate, edit).await?;
        }
        Ok(())
    }

    async fn replay(&self, id: JobId, scope: &Scope) -> Checked<Option<Replayed>> {
        let replayed = whole::change(&self.with(id), &self.scripts.replay, id, scope).await?;
        if let Some((1, job)) = &replayed {
            expiry::note_accepted(&self.with(id), std::slice::from_ref(job)).await?;
        }
        Ok(replayed.map(|(said, job)| if said == 1 { Replayed::Done(job) } else { Replayed::NotFailed(job) }))
    }
}

#[async_trait]
impl Store for Redis {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        Ok(self.shared.shards.exchange(&self.shared.asking(), &turn).await?)
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        Ok(whole::find(&self.shared.with(id), id, scope).await?)
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        Ok(self.shared.cancel(id, scope).await?)
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        Ok(self.shared.shards.sweep(&self.shared.asking(), limit, self.shared.options.retention).await?)
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        Ok(self.shared.held_by(worker).await?)
    }

    fn hints(&self) -> Hints {
        Hints::new(self.shared.hints.subscribe())
    }

    async fn ping(&self) -> Result<()> {
        Ok(self.shared.ping().await?)
    }

    fn name(&self) -> &'static str {
        "redis"
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
impl Gates for Redis {
    /// A store that is spread keeps pauses only: errors with `Config` for limits.
    async fn edit_gate(&self, gate: &Gate, edit: Edit) -> Result<()> {
        Ok(self.shared.edit_gate(gate, &edit).await?)
    }

    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> Result<Vec<Ruled>> {
        let asking = self.shared.asking();
        // All shards have the same.
        let first = self.shared.shards.all(&asking)[0];
        Ok(gates::list(&first, after, limit).await?)
    }
}

#[async_trait]
impl Schedules for Redis {
    async fn write_schedule(&self, write: Write) -> Result<Option<Revision>> {
        Ok(schedules::write(&self.shared.with(Schedule::id(&write.name)), &write).await?)
    }

    async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Kept>> {
        Ok(schedules::find(&self.shared.with(Schedule::id(name)), name).await?)
    }

    async fn list_schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<Kept>> {
        Ok(self.shared.schedules(after, limit).await?)
    }

    async fn due_schedules(&self, limit: usize) -> Result<DueSchedules> {
        Ok(self.shared.due_schedules(limit).await?)
    }

    async fn remove_schedule(&self, name: &ScheduleName) -> Result<bool> {
        Ok(schedules::remove(&self.shared.with(Schedule::id(name)), name).await?)
    }
}

#[async_trait]
impl Import for Redis {
    async fn import(&self, jobs: Vec<Job>) -> Result<Vec<Imported>> {
        Ok(self.shared.shards.import(&self.shared.asking(), jobs).await?)
    }
}

#[async_trait]
impl Query for Redis {
    async fn counts(&self) -> Result<Counts> {
        Ok(self.shared.counts().await?)
    }

    async fn oldest_waiting(&self, queues: &[QueueName]) -> Result<Vec<Option<Duration>>> {
        Ok(self.shared.oldest_waiting(queues).await?)
    }

    async fn list(&self, filter: &Filter) -> Result<Page> {
        Ok(self.shared.list(filter).await?)
    }
}

#[async_trait]
impl Admin for Redis {
    async fn replay(&self, id: JobId, scope: &Scope) -> Result<Option<Replayed>> {
        Ok(self.shared.replay(id, scope).await?)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
