//! apalis-postgres 1.0.0. One by one: `push`. Many callers: `push` from 64 clones. Bulk: `push_bulk` of 1000. A backlog: one
//! worker with a concurrency and a batch of 1000; jobs are locked and results kept, which is its default.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use tokio::task::JoinSet;
use windlass_testkit::servers::PostgresServer;

use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tables::Tables;
use crate::tally::Tally;
use crate::{Fault, report};

const QUEUE: &str = "mail";
const BULK: u64 = 1_000;
const CALLERS: u64 = 64;
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
    let began = Instant::now();
    submit(&storage, task).await?;
    let submitted = began.elapsed();
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

async fn submit(storage: &Storage, task: &crate::task::Task) -> Result<(), Fault> {
    match task.mode.as_str() {
        "one" => push(storage.clone(), 0, task.jobs).await,
        "callers64" => {
            let mut callers = JoinSet::new();
            for caller in 0..CALLERS {
                let (from, to) = (task.jobs * caller / CALLERS, task.jobs * (caller + 1) / CALLERS);
                callers.spawn(push(storage.clone(), from, to));
            }
            while let Some(ended) = callers.join_next().await {
                ended??;
            }
            Ok(())
        }
        _ => {
            let mut storage = storage.clone();
            for start in (0..task.jobs).step_by(BULK as usize) {
                let numbers = start..task.jobs.min(start + BULK);
                storage.push_bulk(numbers.map(Mail::numbered).collect()).await?;
            }
            Ok(())
        }
    }
}

async fn push(mut storage: Storage, from: u64, to: u64) -> Result<(), Fault> {
    for number in from..to {
        storage.push(Mail::numbered(number)).await?;
    }
    Ok(())
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
    async fn handle(mail: Mail, tally: Data<Arc<Tally>>) -> Result<(), BoxDynError> {
        tally.mark(mail.id);
        Ok(())
    }
    let worker = WorkerBuilder::new("bench").backend(storage).data(tally).concurrency(CONCURRENCY).build(handle);
    Ok(worker.run().await?)
}
