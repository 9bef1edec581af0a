//! apalis-postgres 1.0.0. One by one: `push`. Many callers: `push` from 64 clones. Bulk: `push_bulk` of 1000. A backlog: one
//! worker with a concurrency and a batch of 1000; jobs are locked and results kept, which is its default.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use windlass_testkit::servers::PostgresServer;

use crate::apalis::handle;
use crate::intake::{Intake, submit};
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tables::Tables;
use crate::tally::Tally;
use crate::{Fault, report};

const QUEUE: &str = "mail";
const CONCURRENCY: usize = 1_000;

const DONE: &str = "SELECT count(*) FROM apalis.jobs WHERE status = 'Done'";
const UNDONE: &str = "SELECT FROM apalis.jobs WHERE status <> 'Done' LIMIT 1";

type Storage = PostgresStorage<Mail>;

pub(crate) async fn measure(task: &crate::task::Task) -> Result<Measurement, Fault> {
    let server = PostgresServer::start()?;
    let pool = PgPool::connect(&server.url()).await?;
    PostgresStorage::setup(&pool).await?;
    let storage = Storage::new(&pool).with_config(Config::default().queue(QUEUE).batch_size(CONCURRENCY));
    let mut tables = Tables::connect(&server.url()).await?;
    let submitted = submit(&storage, task).await?;
    let tally = Arc::new(Tally::of(task.jobs));
    let drained = drain(storage, &mut tables, task.jobs, &tally).await?;
    let took = if task.question == "drain" { drained } else { submitted };
    let completed = tables.count(DONE).await?;
    Ok(Measurement {
        settings: format!("concurrency and batch {CONCURRENCY}, 10 connections"),
        versions: "apalis-postgres 1.0.0, sqlx 0.9".to_owned(),
        ..report(task, took, tally.count(), completed)
    })
}

impl Intake for Storage {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        Ok(self.push(mail).await?)
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        Ok(self.push_bulk(mails).await?)
    }
}

/// How long the whole backlog takes, to the last stored result.
async fn drain(storage: Storage, tables: &mut Tables, jobs: u64, tally: &Arc<Tally>) -> Result<Duration, Fault> {
    let began = Instant::now();
    let worker = tokio::spawn(work(storage, tally.clone()));
    let patience = Duration::from_secs(120);
    while (tally.count().ran < jobs || tables.hold(UNDONE).await?) && began.elapsed() < patience {
        if worker.is_finished() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = began.elapsed();
    worker.abort();
    Ok(took)
}

async fn work(storage: Storage, tally: Arc<Tally>) -> Result<(), Fault> {
    let worker = WorkerBuilder::new("bench").backend(storage).data(tally).concurrency(CONCURRENCY).build(handle);
    Ok(worker.run().await?)
}
