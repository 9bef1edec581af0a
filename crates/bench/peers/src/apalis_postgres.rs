//! apalis-postgres 1.0.0. One by one: `push`. Many callers: `push` from 64 clones. Bulk: `push_bulk` of 1000. A backlog: one
//! worker with a concurrency and a batch of 1000. One job now and then: a worker that listens (`with_pubsub`). Jobs are
//! locked and results kept, which is its default.

use std::sync::Arc;

use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use tokio::task::JoinHandle;
use windlass_testkit::servers::PostgresServer;

use crate::Fault;
use crate::apalis::handle;
use crate::intake::Intake;
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tables::Tables;
use crate::trial::{self, Load, Marks, Queue};

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
    let (marks, load) = (Marks::of(task.jobs), Load::of(task));
    let tables = Tables::connect(&server.url()).await?;
    let mut apalis = Apalis { storage, tables, load, marks: marks.clone() };
    let found = trial::run(&mut apalis, task, &marks, &server.url()).await?;
    let listens = if load == Load::Trickle { "listens; " } else { "" };
    Ok(Measurement {
        settings: format!("{listens}concurrency and batch {CONCURRENCY}, 10 connections"),
        versions: "apalis-postgres 1.0.0, sqlx 0.9".to_owned(),
        ..found
    })
}

struct Apalis {
    storage: Storage,
    tables: Tables,
    load: Load,
    marks: Arc<Marks>,
}

impl Queue for Apalis {
    type Intake = Storage;
    type Worker = JoinHandle<Result<(), Fault>>;

    fn intake(&self) -> Storage {
        self.storage.clone()
    }

    async fn work(&mut self) -> Result<Self::Worker, Fault> {
        Ok(tokio::spawn(work(self.storage.clone(), self.load, self.marks.clone())))
    }

    async fn is_done(&mut self, _jobs: u64) -> Result<bool, Fault> {
        Ok(!self.tables.hold(UNDONE).await?)
    }

    async fn completed(&mut self, _jobs: u64) -> Result<u64, Fault> {
        self.tables.count(DONE).await
    }

    async fn stop(&mut self, worker: Self::Worker) -> Result<(), Fault> {
        worker.abort();
        Ok(())
    }
}

async fn work(storage: Storage, load: Load, marks: Arc<Marks>) -> Result<(), Fault> {
    let worker = WorkerBuilder::new("bench");
    match load {
        Load::Backlog => worker.backend(storage).data(marks).concurrency(CONCURRENCY).build(handle).run().await?,
        Load::Trickle => {
            worker.backend(storage.with_pubsub()).data(marks).concurrency(CONCURRENCY).build(handle).run().await?;
        }
    }
    Ok(())
}

impl Intake for Storage {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        Ok(self.push(mail).await?)
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        Ok(self.push_bulk(mails).await?)
    }
}
