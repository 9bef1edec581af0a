//! The handle: what applications hold.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime};
use tokio::runtime::{self, Handle};
use tokio::sync::broadcast;
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, Type};
use windlass_core::gate::Edit;
use windlass_core::{Gate, Incarnation, Job, JobId, NewJob, Payload, QueueName, ScheduleName};
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};
use windlass_store::{
    Admin, Canceled, Counts, Error, ErrorKind, Exchange, Exchanged, Fate, Filter, Gates, Hint, Hints, Import, Imported,
    Lease, Page, Query, Replayed, Result, Ruled, Schedules, Scope, Store, Submitted, Swept,
};

use crate::address::Address;
use crate::asking::{Asking, Rules};
use crate::driver::Driver;
use crate::exchange::{RACES_MAX, exchange};
use crate::expiry::Notes;
use crate::fault::{Checked, Fault};
use crate::import::import;
use crate::lent::Lent;
use crate::listen::listen;
use crate::marks::Marks;
use crate::migrate::migrate;
use crate::news::{News, tell};
use crate::options::PostgresOptions;
use crate::rooms::Rooms;
use crate::sessions::Sessions;
use crate::within::{OwnTransaction, Terms};
use crate::{expiry, gates, schedules, sweep, whole, within};

/// Hints that a slow subscriber may be behind before it gets `Ready` in place of what it missed.
const HINTS: usize = 1_024;

/// How long opening waits until hints can be heard.
const FIRST_HINT: Duration = Duration::from_secs(1);

/// A store in a schema of a database. Clones are cheap and share their connections.
#[derive(Clone)]
pub struct Postgres {
    shared: Arc<Shared>,
}

struct Shared {
    /// Connections that the runtime drives on which the store was opened, as fast as can be.
    pool: Pool,
    home: runtime::Id,
    /// A connection for callers from elsewhere: the engine keeps leases alive from a runtime of its own, for the case that
    /// handlers block this one.
    lifeline: Pool,
    options: PostgresOptions,
    channel: String,
    hints: broadcast::Sender<Hint>,
    marks: Marks,
    rooms: Rooms,
    rules: Rules,
    sessions: Sessions,
    news: Arc<News>,
    _driver: Driver,
}

impl Postgres {
    /// Settings other than the defaults; end with [`PostgresOptions::open`].
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// Submits jobs as part of the caller's own transaction on the same database: they exist if and only if it commits,
    /// and nobody sees them before. No size limit of a queue applies.
    ///
    /// # Errors
    ///
    /// As the transaction's own statements: after one, it can only be rolled back.
    pub async fn submit_in(&self, transaction: impl OwnTransaction, jobs: Vec<NewJob>) -> Result<Vec<Submitted>> {
        Ok(within::submit(transaction, &self.shared.terms(), &jobs).await?)
    }

    /// Completes a running job as part of the caller's own transaction on the same database, so that what the handler did
    /// there and the completion are one: both or neither. The lease is the handler's, its id and fencing token. Commit
    /// on [`Fate::Settled`] and roll back on anything else: on [`Fate::LeaseLost`] somebody else runs the job, on
    /// [`Fate::Repeated`] this attempt has ended before, as completed or otherwise, and its rows must not count again. The
    /// engine's own settlement finds the job completed and changes nothing.
    ///
    /// # Errors
    ///
    /// As for [`submit_in`](Self::submit_in).
    pub async fn complete_in(&self, transaction: impl OwnTransaction, lease: Lease, result: Payload) -> Result<Fate> {
        Ok(within::complete(transaction, &self.shared.terms(), lease, result).await?)
    }
}

impl PostgresOptions {
    /// Connects to the database at `url` (`postgres://user:password@host/database`, or libpq's `key=value` pairs) and
    /// brings its schema to this version. With `sslmode=require` the connection is encrypted and the server's certificate
    /// checked, by the certificates that the system trusts or those in `sslrootcert=file`.
    ///
    /// # Errors
    ///
    /// `Config` when the address is none, the server is older than 13, a newer Windlass wrote the schema or rights are
    /// missing; `Unavailable` when no server answers.
    pub async fn open(self, url: &str) -> Result<Postgres> {
        Ok(open(self, url).await?)
    }
}

async fn open(options: PostgresOptions, url: &str) -> Checked<Postgres> {
    let address = Address::of(url, &options)?;
    let listening = options.listen_on.as_deref().map(|url| Address::of(url, &options)).transpose()?;
    let driver = Driver::start()?;
    let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let here = Manager::from_config(address.config.clone(), address.tls.clone(), fast.clone());
    let pool = pool(here, options.connections, options.patience)?;
    let there = Manager::from_connect(address.config.clone(), driver.connector(address.tls.clone())?, fast);
    let lifeline = self::pool(there, 1, options.patience)?;
    migrate(&mut **pool.get().await?, &options.schema).await?;
    let (hints, _) = broadcast::channel(HINTS);
    let channel = format!("windlass_{}", options.schema);
    let mut first = Hints::new(hints.subscribe());
    driver.spawn(listen(listening.unwrap_or(address), channel.clone(), hints.clone()));
    // It says so when it has begun to listen. Without it the store works all the same, by polling.
    let _deaf_for_now = tokio::time::timeout(FIRST_HINT, first.next()).await;
    let home = Handle::current().id();
    let (marks, rooms, rules, news) = <(Marks, Rooms, Rules, Arc<News>)>::default();
    driver.spawn(tell(news.clone(), lifeline.clone(), channel.clone(), options.answer_timeout));
    Ok(Postgres {
        shared: Arc::new(Shared {
            pool,
            home,
            lifeline,
            options,
            channel,
            hints,
            marks,
            rooms,
            rules,
            sessions: Sessions::default(),
            news,
            _driver: driver,
        }),
    })
}

/// Whoever was given back last goes first: its server process has what it needs still at hand.
fn pool(manager: Manager, most: usize, patience: Duration) -> Checked<Pool> {
    let pool = Pool::builder(manager).max_size(most).queue_mode(QueueMode::Lifo);
    let pool = pool.wait_timeout(Some(patience)).create_timeout(Some(patience));
    pool.runtime(Runtime::Tokio1).build().map_err(|error| Fault::config(error.to_string()))
}

impl Shared {
    async fn client(&self) -> Checked<Lent> {
        let pool = if self.is_home() { &self.pool } else { &self.lifeline };
        Ok(Lent::new(pool.get().await?))
    }

    fn is_home(&self) -> bool {
        Handle::current().id() == self.home
    }

    /// Gives up when no answer comes. What was asked may have been done all the same.
    async fn in_time<T>(&self, work: impl Future<Output = Checked<T>>) -> Checked<T> {
        let silent = |_| Fault::from(Error::new(ErrorKind::Unavailable, "PostgreSQL does not answer in time"));
        tokio::time::timeout(self.options.answer_timeout, work).await.map_err(silent)?
    }

    /// A test's clock; `None` for the server's.
    fn at(&self) -> Option<i64> {
        self.options.clock.as_ref().map(|clock| clock.now().as_micros())
    }

    fn terms(&self) -> Terms<'_> {
        let announced_on = self.options.notify.then_some(&*self.channel);
        Terms { schema: &self.options.schema, at: self.at(), announced_on }
    }

    fn asking<'a>(&'a self, client: &'a Client) -> Asking<'a> {
        let at = self.at();
        let Self { options, channel, marks, rooms, rules, news, .. } = self;
        let news = options.notify.then_some(&**news);
        Asking { client, schema: &options.schema, channel, at, marks, rooms, rules, news }
    }

    async fn exchange(&self, turn: &Exchange) -> Checked<Exchanged> {
        let client = self.client().await?;
        let exchanged = client.answered(exchange(&self.asking(&client), turn).await);
        // A session lives on the runtime that it was made on.
        if exchanged.is_ok() && turn.claim.is_some() && self.rules.are_met() && self.is_home() {
            self.sessions.prepare(&self.pool, &self.options.schema);
        }
        exchanged
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Checked<Option<Job>> {
        let client = self.client().await?;
        client.answered(whole::find(&self.asking(&client), id, scope).await)
    }

    /// Has a function change one job. What it said, and the job as it is afterwards; `None` when `scope` sees no such job.
    async fn change<A>(&self, function: &str, id: JobId, scope: &Scope) -> Checked<Option<(A, Box<Job>)>>
    where
        A: for<'a> FromSql<'a>,
    {
        let client = self.client().await?;
        let mut races = 0;
        loop {
            match client.answered(self.change_on(&client, function, id, scope).await) {
                Err(fault) if fault.lost_a_race() && races < RACES_MAX => races += 1,
                said => return said,
            }
        }
    }

    async fn change_on<A>(
        &self,
        client: &Client,
        function: &str,
        id: JobId,
        scope: &Scope,
    ) -> Checked<Option<(A, Box<Job>)>>
    where
        A: for<'a> FromSql<'a>,
    {
        let asking = self.asking(client);
        let sql = asking.sql(&format!("SELECT windlass.{function}($1,$2,$3,$4)"));
        let params = [
            (&asking.at as _, Type::INT8),
            (&id.as_uuid() as _, Type::UUID),
            (&whole::owner_in(scope) as _, Type::TEXT),
            (&asking.channel as _, Type::TEXT),
        ];
        let rows = client.query_typed(&sql, &params).await?;
        let Some(said) = rows.first().map(|row| row.try_get::<_, Option<A>>(0)).transpose()?.flatten() else {
            return Ok(None);
        };
        Ok(whole::find(&asking, id, scope).await?.map(|job| (said, Box::new(job))))
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Checked<Option<Canceled>> {
        Ok(self.change("cancel", id, scope).await?.map(|(said, job)| match said {
            1_i16 => Canceled::Done(job),
            2 => Canceled::Requested(job),
            _ => Canceled::TooLate(job),
        }))
    }

    async fn sweep(&self, limit: usize) -> Checked<Swept> {
        let client = self.client().await?;
        client.answered(sweep::sweep(&self.asking(&client), limit, self.options.retention).await)
    }

    async fn held_by(&self, worker: Incarnation) -> Checked<Vec<Lease>> {
        let client = self.client().await?;
        client.answered(whole::held_by(&self.asking(&client), worker).await)
    }

    async fn ping(&self) -> Checked<()> {
        let client = self.client().await?;
        Ok(client.answered(client.batch_execute("SELECT 1").await)?)
    }

    async fn counts(&self) -> Checked<Counts> {
        let client = self.client().await?;
        client.answered(whole::counts(&self.asking(&client)).await)
    }

    async fn oldest_waiting(&self, queues: &[QueueName]) -> Checked<Vec<Option<Duration>>> {
        let client = self.client().await?;
        client.answered(whole::oldest_waiting(&self.asking(&client), queues).await)
    }

    async fn list(&self, filter: &Filter) -> Checked<Page> {
        let client = self.client().await?;
        client.answered(whole::list(&self.asking(&client), filter).await)
    }

    async fn import(&self, jobs: &[Job]) -> Checked<Vec<Imported>> {
        let client = self.client().await?;
        client.answered(import(&self.asking(&client), jobs).await)
    }

    async fn edit_gate(&self, gate: &Gate, edit: &Edit) -> Checked<()> {
        let client = self.client().await?;
        client.answered(gates::edit(&self.asking(&client), gate, edit).await)
    }

    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> Checked<Vec<Ruled>> {
        let client = self.client().await?;
        client.answered(gates::list(&self.asking(&client), after, limit).await)
    }

    async fn replay(&self, id: JobId, scope: &Scope) -> Checked<Option<Replayed>> {
        let replayed = self.change("replay", id, scope).await?;
        if let Some((true, job)) = &replayed
            && let Some(notes) = Notes::of_accepted(std::slice::from_ref(job))
        {
            let client = self.client().await?;
            client.answered(expiry::note(&self.asking(&client), &notes).await)?;
        }
        Ok(replayed.map(|(done, job)| if done { Replayed::Done(job) } else { Replayed::NotFailed(job) }))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.pool.close();
        self.lifeline.close();
    }
}

#[async_trait]
impl Store for Postgres {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        Ok(self.shared.in_time(self.shared.exchange(&turn)).await?)
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        Ok(self.shared.in_time(self.shared.get(id, scope)).await?)
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        Ok(self.shared.in_time(self.shared.cancel(id, scope)).await?)
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        Ok(self.shared.in_time(self.shared.sweep(limit)).await?)
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        Ok(self.shared.in_time(self.shared.held_by(worker)).await?)
    }

    fn hints(&self) -> Hints {
        Hints::new(self.shared.hints.subscribe())
    }

    async fn ping(&self) -> Result<()> {
        Ok(self.shared.in_time(self.shared.ping()).await?)
    }

    fn name(&self) -> &'static str {
        "postgres"
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
impl Gates for Postgres {
    async fn edit_gate(&self, gate: &Gate, edit: Edit) -> Result<()> {
        Ok(self.shared.in_time(self.shared.edit_gate(gate, &edit)).await?)
    }

    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> Result<Vec<Ruled>> {
        Ok(self.shared.in_time(self.shared.list_gates(after, limit)).await?)
    }
}

#[async_trait]
impl Schedules for Postgres {
    async fn write_schedule(&self, write: Write) -> Result<Option<Revision>> {
        Ok(self
            .shared
            .in_time(async {
                let client = self.shared.client().await?;
                client.answered(schedules::write(&self.shared.asking(&client), &write).await)
            })
            .await?)
    }

    async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Kept>> {
        Ok(self
            .shared
            .in_time(async {
                let client = self.shared.client().await?;
                client.answered(schedules::find(&self.shared.asking(&client), name).await)
            })
            .await?)
    }

    async fn list_schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<Kept>> {
        Ok(self
            .shared
            .in_time(async {
                let client = self.shared.client().await?;
                client.answered(schedules::list(&self.shared.asking(&client), after, limit).await)
            })
            .await?)
    }

    async fn due_schedules(&self, limit: usize) -> Result<DueSchedules> {
        Ok(self
            .shared
            .in_time(async {
                let client = self.shared.client().await?;
                client.answered(schedules::due(&self.shared.asking(&client), limit).await)
            })
            .await?)
    }

    async fn remove_schedule(&self, name: &ScheduleName) -> Result<bool> {
        Ok(self
            .shared
            .in_time(async {
                let client = self.shared.client().await?;
                client.answered(schedules::remove(&self.shared.asking(&client), name).await)
            })
            .await?)
    }
}

#[async_trait]
impl Import for Postgres {
    async fn import(&self, jobs: Vec<Job>) -> Result<Vec<Imported>> {
        Ok(self.shared.in_time(self.shared.import(&jobs)).await?)
    }
}

#[async_trait]
impl Query for Postgres {
    async fn counts(&self) -> Result<Counts> {
        Ok(self.shared.in_time(self.shared.counts()).await?)
    }

    async fn oldest_waiting(&self, queues: &[QueueName]) -> Result<Vec<Option<Duration>>> {
        Ok(self.shared.in_time(self.shared.oldest_waiting(queues)).await?)
    }

    async fn list(&self, filter: &Filter) -> Result<Page> {
        Ok(self.shared.in_time(self.shared.list(filter)).await?)
    }
}

#[async_trait]
impl Admin for Postgres {
    async fn replay(&self, id: JobId, scope: &Scope) -> Result<Option<Replayed>> {
        Ok(self.shared.in_time(self.shared.replay(id, scope)).await?)
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
