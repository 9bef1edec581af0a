//! Windlass as the questions use it: a store, a handler that counts, and engines over them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use windlass_core::{Clock, Status, SystemClock};
use windlass_embedded::Embedded;
use windlass_engine::{Engine, Settings};
use windlass_memory::{Memory, MemoryOptions};
use windlass_postgres::Postgres;
use windlass_redis::Redis;
use windlass_store::{Retention, SharedStore, Verbs};
use windlass_testkit::servers::{PostgresServer, RedisServer};

use crate::Fault;
use crate::handler::{SendMail, job};
use crate::machine;
use crate::measurement::Measurement;
use crate::task::Task;
use crate::watched::Watched;

/// Jobs per bulk submission.
pub(crate) const BULK: u64 = 1_000;

/// As durable as the peers' best runs.
pub(crate) const REDIS_DURABILITY: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

/// One store and what runs on it.
pub(crate) struct Rig {
    pub(crate) store: SharedStore,
    pub(crate) handler: SendMail,
    pub(crate) settings: Settings,
    jobs: u64,
    /// It goes last.
    pub(crate) server: Server,
}

/// What a store needs besides this process: nothing, or a server.
pub(crate) struct Server {
    pub(crate) url: Option<String>,
    /// `None` where somebody else keeps it running.
    _running: Option<Box<dyn Send + Sync>>,
}

impl Server {
    /// A server of its own for `store`, where it needs one.
    pub(crate) fn start(store: &str) -> Result<Self, Fault> {
        let (url, running): (_, Box<dyn Send + Sync>) = match store {
            "postgres" => {
                let postgres = PostgresServer::start()?;
                (postgres.url(), Box::new(postgres))
            }
            "redis" => {
                let redis = RedisServer::start_with(&REDIS_DURABILITY)?;
                (redis.url(), Box::new(redis))
            }
            _ => return Ok(Self { url: None, _running: None }),
        };
        Ok(Self { url: Some(url), _running: Some(running) })
    }
}

impl Rig {
    /// Opens the store that the task names, on a server of its own unless the task says where one is.
    pub(crate) async fn new(task: &Task) -> Result<Self, Fault> {
        Self::keeping(task, Retention::default().completed).await
    }

    /// Opens the store that the task names, which keeps completed jobs for so long.
    pub(crate) async fn keeping(task: &Task, kept: Duration) -> Result<Self, Fault> {
        let server = match &task.url {
            Some(url) => Server { url: Some(url.clone()), _running: None },
            None => Server::start(&task.store)?,
        };
        let store: SharedStore = match (task.store.as_str(), &server.url) {
            ("memory", _) => {
                let options = MemoryOptions { completed_retention: kept, ..MemoryOptions::default() };
                Arc::new(Memory::with_options(options, Arc::new(SystemClock)))
            }
            ("embedded", _) => Arc::new(Embedded::options().completed_retention(kept).open(&task.dir)?),
            ("postgres", Some(url)) => Arc::new(Postgres::options().completed_retention(kept).open(url).await?),
            ("redis", Some(url)) => Arc::new(Redis::options().completed_retention(kept).open(url).await?),
            (other, _) => return Err(format!("no such store: {other}").into()),
        };
        let handler = SendMail::counting(task.jobs);
        Ok(Self { store, handler, settings: settings(task), jobs: task.jobs, server })
    }

    /// Starts an engine that works, over `store`.
    pub(crate) async fn start(&self, store: SharedStore) -> Result<Engine, Fault> {
        let engine = Engine::builder(store).settings(self.settings.clone()).handler(self.handler.clone());
        Ok(engine.start().await?)
    }

    /// Starts an engine that only takes jobs in.
    pub(crate) async fn start_serving(&self) -> Result<Engine, Fault> {
        let settings = Settings { work: false, ..self.settings.clone() };
        let engine = Engine::builder(self.store.clone()).settings(settings).handler(self.handler.clone());
        Ok(engine.start().await?)
    }

    /// Fills the store with jobs `from` to `to` - 1.
    pub(crate) async fn fill(&self, from: u64, to: u64) -> Result<(), Fault> {
        for start in (from..to).step_by(BULK as usize) {
            let now = SystemClock.now();
            let numbers = start..to.min(start + BULK);
            let jobs: Result<Vec<_>, _> = numbers.map(|number| job(number, now)).collect();
            let stored = self.store.submit(jobs?).await?;
            debug_assert!(!stored.is_empty());
        }
        Ok(())
    }

    /// Runs the next `count` waiting jobs and no others: how long it took from the start of an engine to the
    /// store's last acknowledgement.
    pub(crate) async fn drain(&self, count: u64) -> Result<Duration, Fault> {
        let watched = Arc::new(Watched::new(self.store.clone(), count).rationed());
        let began = Instant::now();
        let engine = self.start(watched.clone()).await?;
        let ended = watched.all_completed().await;
        engine.shutdown().await;
        Ok(ended.unwrap_or_else(Instant::now) - began)
    }

    /// Asks the store and the tally what became of the jobs.
    pub(crate) async fn verify(&self) -> Result<Measurement, Fault> {
        Ok(self.verify_by(self.kept().await?))
    }

    /// How many completed jobs the store has.
    pub(crate) async fn kept(&self) -> Result<u64, Fault> {
        let query = self.store.query().ok_or("this store cannot count its jobs")?;
        Ok(query.counts().await?.total(Status::Completed))
    }

    /// Asks the tally what became of the jobs, of which so many completed.
    pub(crate) fn verify_by(&self, completed: u64) -> Measurement {
        let count = self.handler.tally.count();
        Measurement {
            jobs: self.jobs,
            completed,
            lost: self.jobs - count.ran.min(completed).min(self.jobs),
            duplicated: count.again + completed.saturating_sub(self.jobs),
            rss_mib: machine::peak_rss_mib(),
            settings: self.describe(),
            versions: versions(),
            ..Measurement::default()
        }
    }

    fn describe(&self) -> String {
        let Settings { max_concurrency, batch_size, .. } = self.settings;
        let durability = match self.store.name() {
            "embedded" => "; SQLite WAL, synced before each answer",
            "postgres" => "; PostgreSQL, a server of its own, default durability",
            "redis" => "; Redis, a server of its own, append-only file written every second",
            _ => "; not durable",
        };
        let threads = Handle::current().metrics().num_workers();
        format!("max_concurrency={max_concurrency} batch_size={batch_size} threads={threads}{durability}")
    }
}

/// Settings for throughput: no submission is ever refused.
fn settings(task: &Task) -> Settings {
    Settings {
        max_concurrency: task.concurrency,
        batch_size: task.batch,
        max_queue_size: u64::MAX,
        submit_buffer: 65_536,
        submit_timeout: Duration::from_secs(60),
        ..Settings::default()
    }
}

/// What was measured.
pub(crate) fn versions() -> String {
    format!("windlass {}, SQLite {}", env!("CARGO_PKG_VERSION"), rusqlite::version())
}
