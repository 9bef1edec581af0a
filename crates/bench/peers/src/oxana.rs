//! oxana 2.5.0. One by one: `enqueue`. Many callers: `enqueue` from 64 tasks. Bulk: `enqueue_list` of 1000. A backlog: one
//! worker that gets jobs in lists of 100, which is faster than one by one; it claims one job per round trip at any
//! concurrency. Completion deletes the job.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use oxana::{
    BatchItem, BoxError, FromContext, Job, Queue, QueueConcurrency, QueueConfig, QueueKind, Storage, Worker,
    WorkerBatchConfig,
};
use windlass_testkit::servers::RedisServer;

use crate::intake::{Intake, submit};
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tally::Tally;
use crate::task::Task;
use crate::{EVERYSEC, Fault, report};

const CONNECTIONS: usize = 512;
const CONCURRENCY: usize = 512;
const BATCH: usize = 100;
const BATCH_TIMEOUT: Duration = Duration::from_millis(5);

impl Job for Mail {}

struct MailQueue;

impl Queue for MailQueue {
    fn to_config() -> QueueConfig {
        QueueConfig {
            kind: QueueKind::Static { key: "mail".to_owned() },
            concurrency: QueueConcurrency::Fixed(CONCURRENCY),
            throttle: None,
        }
    }
}

struct MailWorker(Arc<Tally>);

impl FromContext<Arc<Tally>> for MailWorker {
    fn from_context(tally: &Arc<Tally>) -> Self {
        Self(tally.clone())
    }
}

#[async_trait]
impl Worker<Mail> for MailWorker {
    type Error = BoxError;

    async fn run_batch(&self, jobs: Vec<BatchItem<Mail>>) -> Result<(), BoxError> {
        jobs.iter().for_each(|item| self.0.mark(item.job.id));
        Ok(())
    }

    fn batch_config() -> Option<WorkerBatchConfig> {
        Some(WorkerBatchConfig::new(BATCH, BATCH_TIMEOUT))
    }
}

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    let storage = Storage::builder().max_pool_size(CONNECTIONS).build_from_redis_url(server.url())?;
    let submitted = submit(&storage, task).await?;
    let taken = storage.jobs_count().await?;
    let tally = Arc::new(Tally::of(task.jobs));
    let drained = drain(&storage, task.jobs, &tally).await?;
    let took = if task.question == "drain" { drained } else { submitted };
    let completed = taken - storage.jobs_count().await?;
    Ok(Measurement {
        settings: format!("append-only file written every second; batches of {BATCH}, concurrency {CONCURRENCY}"),
        versions: "oxana 2.5.0".to_owned(),
        ..report(task, took, tally.count(), completed as u64)
    })
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

/// How long the whole backlog takes, to the last deleted job.
async fn drain(storage: &Storage, jobs: u64, tally: &Arc<Tally>) -> Result<Duration, Fault> {
    let runtime = storage.runtime(tally.clone()).queue::<MailQueue>().worker::<MailWorker, Mail>();
    let began = Instant::now();
    let worker = tokio::spawn(runtime.run());
    let patience = Duration::from_secs(120);
    while (tally.count().ran < jobs || storage.jobs_count().await? > 0) && began.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    worker.abort();
    Ok(took)
}
