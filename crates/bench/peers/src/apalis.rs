//! apalis-redis 1.0.0. One by one: `push`. Many callers: `push` from 64 clones. Bulk: `push_bulk` of 1000. A backlog: one worker
//! with a concurrency and a batch of 1000; results are kept, which is its default. One script unpacks every due job, and
//! fails above about 8 000.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_redis::{Config, ConnectionManager, RedisStorage};
use windlass_testkit::servers::RedisServer;

use crate::intake::{Intake, submit};
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tally::Tally;
use crate::{EVERYSEC, Fault, report};

const QUEUE: &str = "mail";
const CONCURRENCY: usize = 1_000;

type Storage = RedisStorage<Mail, ConnectionManager>;

pub(crate) async fn measure(task: &crate::task::Task) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    let mut connection = apalis_redis::connect(server.url()).await?;
    let config = Config::default().queue(QUEUE).batch_size(CONCURRENCY);
    let done = config.done_jobs_set();
    let storage: Storage = RedisStorage::new(connection.clone()).with_config(config);
    let submitted = submit(&storage, task).await?;
    let tally = Arc::new(Tally::of(task.jobs));
    let began = Instant::now();
    let worker = tokio::spawn(work(storage, tally.clone()));
    let mut completed = 0;
    while completed < task.jobs && began.elapsed() < Duration::from_secs(120) && !worker.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        completed = redis::cmd("SCARD").arg(&done).query_async::<u64>(&mut connection).await?;
    }
    let took = if task.question == "drain" { began.elapsed() } else { submitted };
    worker.abort();
    Ok(Measurement {
        settings: format!("append-only file written every second; concurrency and batch {CONCURRENCY}"),
        versions: "apalis-redis 1.0.0".to_owned(),
        ..report(task, took, tally.count(), completed)
    })
}

/// What its workers do, on PostgreSQL too.
pub(crate) async fn handle(mail: Mail, tally: Data<Arc<Tally>>) -> Result<(), BoxDynError> {
    tally.mark(mail.id);
    Ok(())
}

async fn work(storage: Storage, tally: Arc<Tally>) -> Result<(), Fault> {
    let worker = WorkerBuilder::new("bench").backend(storage).data(tally).concurrency(CONCURRENCY).build(handle);
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
