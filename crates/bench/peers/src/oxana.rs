//! oxana 2.5.0. One by one: `enqueue`. Many callers: `enqueue` from 64 tasks. Bulk: `enqueue_list` of 1000. A backlog: one
//! worker that gets jobs in lists of 100, which is faster than one by one; it claims one job per round trip at any
//! concurrency. One job now and then: lists of one, and a queue that is looked at every 10 ms, because an idle worker sleeps
//! for 10 s by default. Completion deletes the job.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use oxana::{
    BatchItem, BoxError, FromContext, Job, JobContext, QueueConcurrency, QueueConfig, QueueKind, Storage, Worker,
    WorkerBatchConfig,
};
use tokio::task::JoinHandle;
use windlass_testkit::servers::RedisServer;

use crate::intake::Intake;
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::task::Task;
use crate::trial::{self, Load, Marks, Queue};
use crate::{EVERYSEC, Fault};

const CONNECTIONS: usize = 512;
const CONCURRENCY: usize = 512;
const BATCH: usize = 100;
const BATCH_TIMEOUT: Duration = Duration::from_millis(5);
const LOOK: Duration = Duration::from_millis(10);

impl Job for Mail {}

struct MailQueue;

impl oxana::Queue for MailQueue {
    fn to_config() -> QueueConfig {
        QueueConfig {
            kind: QueueKind::Static { key: "mail".to_owned() },
            concurrency: QueueConcurrency::Fixed(CONCURRENCY),
            throttle: None,
        }
    }
}

/// Works a backlog off.
struct BatchWorker(Arc<Marks>);

/// Waits for single jobs.
struct LoneWorker(Arc<Marks>);

impl FromContext<Arc<Marks>> for BatchWorker {
    fn from_context(marks: &Arc<Marks>) -> Self {
        Self(marks.clone())
    }
}

impl FromContext<Arc<Marks>> for LoneWorker {
    fn from_context(marks: &Arc<Marks>) -> Self {
        Self(marks.clone())
    }
}

#[async_trait]
impl Worker<Mail> for BatchWorker {
    type Error = BoxError;

    async fn run_batch(&self, jobs: Vec<BatchItem<Mail>>) -> Result<(), BoxError> {
        jobs.iter().for_each(|item| self.0.mark(item.job.id));
        Ok(())
    }

    fn batch_config() -> Option<WorkerBatchConfig> {
        Some(WorkerBatchConfig::new(BATCH, BATCH_TIMEOUT))
    }
}

#[async_trait]
impl Worker<Mail> for LoneWorker {
    type Error = BoxError;

    async fn process(&self, mail: Mail, _context: &JobContext) -> Result<(), BoxError> {
        self.0.mark(mail.id);
        Ok(())
    }
}

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    let storage = Storage::builder().max_pool_size(CONNECTIONS).build_from_redis_url(server.url())?;
    let (marks, load) = (Marks::of(task.jobs), Load::of(task));
    let mut oxana = Oxana { storage, load, marks: marks.clone() };
    let found = trial::run(&mut oxana, task, &marks, &server.url()).await?;
    let worker = match load {
        Load::Backlog => format!("batches of {BATCH}"),
        Load::Trickle => format!("dequeue_timeout {LOOK:?}"),
    };
    Ok(Measurement {
        settings: format!("append-only file written every second; {worker}, concurrency {CONCURRENCY}"),
        versions: "oxana 2.5.0".to_owned(),
        ..found
    })
}

struct Oxana {
    storage: Storage,
    load: Load,
    marks: Arc<Marks>,
}

impl Queue for Oxana {
    type Intake = Storage;
    type Worker = JoinHandle<()>;

    fn intake(&self) -> Storage {
        self.storage.clone()
    }

    async fn work(&mut self) -> Result<JoinHandle<()>, Fault> {
        let runtime = self.storage.runtime(self.marks.clone()).queue::<MailQueue>();
        Ok(match self.load {
            Load::Backlog => tokio::spawn(async { drop(runtime.worker::<BatchWorker, Mail>().run().await) }),
            Load::Trickle => {
                let runtime = runtime.dequeue_timeout(LOOK).worker::<LoneWorker, Mail>();
                tokio::spawn(async { drop(runtime.run().await) })
            }
        })
    }

    async fn is_done(&mut self, _jobs: u64) -> Result<bool, Fault> {
        Ok(self.storage.jobs_count().await? == 0)
    }

    async fn completed(&mut self, jobs: u64) -> Result<u64, Fault> {
        Ok(jobs - self.storage.jobs_count().await? as u64)
    }

    async fn stop(&mut self, worker: JoinHandle<()>) -> Result<(), Fault> {
        worker.abort();
        Ok(())
    }
}

impl Intake for Storage {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        self.enqueue(MailQueue, mail).await?;
        Ok(())
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        self.enqueue_list(MailQueue, mails).await?;
        Ok(())
    }
}
