//! awa 0.6.9 with its queue storage. One by one: `insert_with`. Many callers: `insert_with` from 64 tasks. Bulk:
//! `enqueue_params_copy` of 1000. A backlog: one worker that runs 500 jobs at a time and whose jobs have no deadline, which
//! is its fastest path; completed jobs are kept, which is its default.

use std::sync::Arc;
use std::time::{Duration, Instant};

use awa::model::migrations;
use awa::{
    Client, InsertOpts, InsertParams, JobArgs, JobResult, QueueConfig, QueueStorage, QueueStorageConfig, insert_with,
};
use sqlx::postgres::{PgPool, PgPoolOptions};
use windlass_testkit::servers::PostgresServer;

use crate::intake::{Intake, submit};
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tables::Tables;
use crate::tally::Tally;
use crate::task::Task;
use crate::{Fault, report};

const QUEUE: &str = "mail";
const CONNECTIONS: u32 = 20;
const WORKERS: u32 = 500;

/// What tells that a drain has ended. Its own exact count takes half a second, so it is asked only afterwards.
const STORED: &str = "
    SELECT (SELECT count(*) FROM awa.done_entries)
         + (SELECT coalesce(sum(completed_count), 0)::bigint FROM awa.receipt_completion_batches)";

impl JobArgs for Mail {
    fn kind() -> &'static str {
        "mail"
    }
}

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = PostgresServer::start()?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&server.url()).await?;
    let tally = Arc::new(Tally::of(task.jobs));
    let intake = AwaIntake { storage: Arc::new(set_up(&pool, &tally).await?), pool: pool.clone() };
    let mut tables = Tables::connect(&server.url()).await?;
    let submitted = submit(&intake, task).await?;
    let drained = drain(&pool, &mut tables, task.jobs, &tally).await?;
    let took = if task.question == "drain" { drained } else { submitted };
    let completed = u64::try_from(intake.storage.queue_counts(&pool, QUEUE).await?.terminal)?;
    Ok(Measurement {
        settings: format!("queue storage, max_workers {WORKERS}, no deadline, {CONNECTIONS} connections"),
        versions: "awa 0.6.9, sqlx 0.8".to_owned(),
        ..report(task, took, tally.count(), completed)
    })
}

/// A fresh schema keeps jobs in its older tables until the first worker has started.
async fn set_up(pool: &PgPool, tally: &Arc<Tally>) -> Result<QueueStorage, Fault> {
    migrations::run(pool).await?;
    let first = client(pool, tally)?;
    first.start().await?;
    first.shutdown(Duration::from_secs(5)).await;
    match QueueStorage::active_schema(pool).await? {
        Some(schema) => Ok(QueueStorage::new(QueueStorageConfig { schema, ..Default::default() })?),
        None => Err("queue storage is not active".into()),
    }
}

fn client(pool: &PgPool, tally: &Arc<Tally>) -> Result<Client, Fault> {
    let config = QueueConfig {
        max_workers: WORKERS,
        poll_interval: Duration::from_millis(50),
        deadline_duration: Duration::ZERO,
        ..Default::default()
    };
    let tally = tally.clone();
    let handler = move |mail: Mail, _: &_| {
        tally.mark(mail.id);
        async { Ok(JobResult::Completed) }
    };
    Ok(Client::builder(pool.clone()).queue(QUEUE, config).register::<Mail, _, _>(handler).build()?)
}

#[derive(Clone)]
struct AwaIntake {
    pool: PgPool,
    storage: Arc<QueueStorage>,
}

impl Intake for AwaIntake {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        insert_with(&self.pool, &mail, options()).await?;
        Ok(())
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        let jobs = mails.iter().map(parameters).collect::<Result<Vec<_>, _>>()?;
        self.storage.enqueue_params_copy(&self.pool, &jobs).await?;
        Ok(())
    }
}

fn parameters(mail: &Mail) -> serde_json::Result<InsertParams> {
    Ok(InsertParams { kind: Mail::kind().to_owned(), args: mail.to_args()?, opts: options() })
}

fn options() -> InsertOpts {
    InsertOpts { queue: QUEUE.to_owned(), ..Default::default() }
}

/// How long the whole backlog takes, to the last stored completion.
async fn drain(pool: &PgPool, tables: &mut Tables, jobs: u64, tally: &Arc<Tally>) -> Result<Duration, Fault> {
    let worker = client(pool, tally)?;
    let began = Instant::now();
    worker.start().await?;
    let patience = Duration::from_secs(120);
    while (tally.count().ran < jobs || tables.count(STORED).await? < jobs) && began.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    worker.shutdown(Duration::from_secs(5)).await;
    Ok(took)
}
