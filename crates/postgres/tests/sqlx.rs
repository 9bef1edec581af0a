//! Jobs in the caller's own transactions on sqlx: there if and only if the business rows are.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use windlass_core::{Clock, Incarnation, JobId, NewJob, Payload, QueueName, Status, SystemClock};
use windlass_postgres::Postgres;
use windlass_store::{Claim, ClaimedJob, ErrorKind, Fate, Hint, Scope, Store, SubmitOutcome, Verbs};
use windlass_testkit::servers::PostgresServer;

struct Shop {
    store: Postgres,
    connection: PgConnection,
    _server: PostgresServer,
}

impl Shop {
    async fn open() -> Self {
        let server = PostgresServer::start().unwrap();
        let mut connection = PgConnection::connect(&server.url()).await.unwrap();
        let tables = "CREATE TABLE sale (id uuid PRIMARY KEY); CREATE TABLE effect (id uuid)";
        sqlx::raw_sql(tables).execute(&mut connection).await.unwrap();
        let store = Postgres::options().schema("work").open(&server.url()).await.unwrap();
        Self { store, connection, _server: server }
    }

    /// A row and its jobs in one transaction.
    async fn sell(&mut self, jobs: Vec<NewJob>, commit: bool) {
        let mut transaction = self.connection.begin().await.unwrap();
        sqlx::query("INSERT INTO sale VALUES (gen_random_uuid())").execute(&mut *transaction).await.unwrap();
        let ids: Vec<_> = jobs.iter().map(|new| new.id).collect();
        for submitted in self.store.submit_in(&mut transaction, jobs).await.unwrap() {
            assert_eq!(submitted.outcome, SubmitOutcome::Created(Status::Queued));
        }
        assert!(
            self.store.get(ids[0], &Scope::Everything).await.unwrap().is_none(),
            "nobody sees it before the commit"
        );
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
    }

    async fn claim(&self) -> ClaimedJob {
        let (queues, lease) = (vec![QueueName::default()], Duration::from_secs(30));
        let claim = Claim { queues, limit: 1, lease, worker: Incarnation::random(), suspects: 0, handlers: None };
        self.store.claim(claim).await.unwrap().jobs.remove(0)
    }

    async fn status(&self, id: JobId) -> Status {
        self.store.get(id, &Scope::Everything).await.unwrap().unwrap().status
    }

    async fn count(&mut self, what: &'static str) -> i64 {
        sqlx::query_scalar(what).fetch_one(&mut self.connection).await.unwrap()
    }
}

fn job() -> NewJob {
    NewJob::build("Ship", Payload::json("a parcel").unwrap()).finish(SystemClock.now()).unwrap()
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_its_row_does() {
    let mut shop = Shop::open().await;
    let mut hints = shop.store.hints();
    // By ones and in batches, for which the database has a function each.
    for turn in 0..30 {
        let jobs: Vec<_> = (0..1 + turn % 2 * 7).map(|_| job()).collect();
        shop.sell(jobs, turn % 3 != 0).await;
    }
    let sales = shop.count("SELECT count(*) FROM sale").await;
    assert_eq!((sales, shop.count("SELECT count(*) FROM work.ready").await), (20, 10 + 80));
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), hints.next()).await.unwrap(), Hint::Ready);
}

#[tokio::test]
async fn what_was_submitted_is_what_runs() {
    let mut shop = Shop::open().await;
    let new = job();
    shop.sell(vec![new.clone()], true).await;
    assert_eq!(*shop.claim().await.new, new);
}

/// The job that has the id may be one of the same transaction, which nobody outside can see.
#[tokio::test]
async fn an_id_that_is_taken_is_compared_from_within() {
    let mut shop = Shop::open().await;
    let new = job();
    let other = NewJob { payload: Payload::json("another parcel").unwrap(), ..new.clone() };
    let mut transaction = shop.connection.begin().await.unwrap();
    let jobs = vec![new.clone(), new, other];
    let submitted = shop.store.submit_in(&mut *transaction, jobs).await.unwrap();
    let outcomes: Vec<_> = submitted.iter().map(|submitted| submitted.outcome).collect();
    let created = SubmitOutcome::Created(Status::Queued);
    assert_eq!(outcomes, [created, SubmitOutcome::Existing, SubmitOutcome::Conflict]);
}

#[tokio::test]
async fn an_effect_and_its_completion_are_one() {
    let mut shop = Shop::open().await;
    shop.sell(vec![job()], true).await;
    let job = shop.claim().await;
    for commit in [false, true] {
        let mut transaction = shop.connection.begin().await.unwrap();
        sqlx::query("INSERT INTO effect VALUES (gen_random_uuid())").execute(&mut *transaction).await.unwrap();
        let fate = shop.store.complete_in(&mut transaction, job.lease, Payload::empty()).await.unwrap();
        assert_eq!(fate, Fate::Settled(Status::Completed));
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
        let expected = if commit { Status::Completed } else { Status::InProgress };
        assert_eq!(shop.status(job.lease.id).await, expected);
    }
    assert_eq!(shop.count("SELECT count(*) FROM effect").await, 1);
    let mut transaction = shop.connection.begin().await.unwrap();
    let again = shop.store.complete_in(&mut *transaction, job.lease, Payload::empty()).await.unwrap();
    assert_eq!(again, Fate::Repeated(Status::Completed));
}

#[tokio::test]
async fn a_transaction_that_has_failed_takes_no_jobs_and_says_why() {
    let mut shop = Shop::open().await;
    let mut transaction = shop.connection.begin().await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *transaction).await.unwrap_err();
    let refused = shop.store.submit_in(&mut *transaction, vec![job()]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("transaction is aborted"), "{refused}");
}
