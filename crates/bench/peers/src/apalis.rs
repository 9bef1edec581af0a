//! apalis-redis 1.0.0. One by one: `push`. Many callers: `push` from 64 clones. Bulk: `push_bulk` of 1000. A backlog: one worker
//! with a concurrency and a batch of 1000. One job now and then: a worker whose heart beats every 10 ms, because an idle one
//! looks for jobs with it, and by default every 30 s. Results are kept, which is its default. One script unpacks every due
//! job, and fails above about 8 000.

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::*;
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use tokio::task::JoinHandle;
use windlass_testkit::servers::RedisServer;

use crate::intake::Intake;
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::trial::{self, Load, Marks, Queue};
use crate::{EVERYSEC, Fault};

const QUEUE: &str = "mail";
const CONCURRENCY: usize = 1_000;
const HEARTBEAT: Duration = Duration::from_millis(10);
/// As long until it is taken for dead as by default.
const MISSED: usize = 30_000;

type Storage = RedisStorage<Mail, ConnectionManager>;

pub(crate) async fn measure(task: &crate::task::Task) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    let connection = apalis_redis::connect(server.url()).await?;
    let backlog = Config::default().queue(QUEUE).batch_size(CONCURRENCY);
    let (config, settings) = match Load::of(task) {
        Load::Backlog => (backlog, format!("concurrency and batch {CONCURRENCY}")),
        Load::Trickle => (
            backlog.heartbeat_interval(HEARTBEAT).missed_heartbeats(MISSED),
            format!("a heartbeat every {HEARTBEAT:?}"),
        ),
    };
    let marks = Marks::of(task.jobs);
    let done = config.done_jobs_set();
    let storage = RedisStorage::new(connection.clone()).with_config(config);
    let mut apalis = Apalis { connection, done, storage, marks: marks.clone() };
    let found = trial::run(&mut apalis, task, &marks, &server.url()).await?;
    Ok(Measurement {
        settings: format!("append-only file written every second; {settings}"),
        versions: "apalis-redis 1.0.0".to_owned(),
        ..found
    })
}

struct Apalis {
    connection: ConnectionManager,
    /// The set of completed jobs.
    done: String,
    storage: Storage,
    marks: Arc<Marks>,
}

impl Queue for Apalis {
    type Intake = Storage;
    type Worker = JoinHandle<Result<(), Fault>>;

    fn intake(&self) -> Storage {
        self.storage.clone()
    }

    async fn work(&mut self) -> Result<Self::Worker, Fault> {
        Ok(tokio::spawn(work(self.storage.clone(), self.marks.clone())))
    }

    async fn is_done(&mut self, jobs: u64) -> Result<bool, Fault> {
        Ok(self.completed(jobs).await? >= jobs)
    }

    async fn completed(&mut self, _jobs: u64) -> Result<u64, Fault> {
        Ok(redis::cmd("SCARD").arg(&self.done).query_async(&mut self.connection).await?)
    }

    async fn stop(&mut self, worker: Self::Worker) -> Result<(), Fault> {
        worker.abort();
        Ok(())
    }
}

/// What its workers do, on PostgreSQL too.
pub(crate) async fn handle(mail: Mail, marks: Data<Arc<Marks>>) -> Result<(), BoxDynError> {
    marks.mark(mail.id);
    Ok(())
}

async fn work(storage: Storage, marks: Arc<Marks>) -> Result<(), Fault> {
    let worker = WorkerBuilder::new("bench").backend(storage).data(marks).concurrency(CONCURRENCY).build(handle);
    Ok(worker.run().await?)
}

impl Intake for Storage {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        Ok(self.push(mail).await?)
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        Ok(self.push_bulk(mails).await?)
    }
}
