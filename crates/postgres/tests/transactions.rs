//! Jobs in the caller's own transactions: there if and only if the business rows are.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tokio_postgres::{Client, IsolationLevel, NoTls};
use windlass_core::gate::Edit;
use windlass_core::{Clock, Expiry, Gate, Incarnation, JobId, NewJob, Payload, QueueName, Share, Status, SystemClock};
use windlass_postgres::Postgres;
use windlass_store::{Claim, ClaimedJob, Fate, Gates, Hint, Scope, Store, Verbs};
use windlass_testkit::servers::PostgresServer;

struct Shop {
    store: Postgres,
    client: Client,
    server: PostgresServer,
}

impl Shop {
    async fn open() -> Self {
        let server = PostgresServer::start().unwrap();
        let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("CREATE TABLE sale (id uuid PRIMARY KEY); CREATE TABLE effect (id uuid)").await.unwrap();
        Self { store: Postgres::options().open(&server.url()).await.unwrap(), client, server }
    }

    /// A row and its job in one transaction.
    async fn sell(&mut self, commit: bool) -> JobId {
        let new = NewJob::build("Ship", Payload::empty()).finish(SystemClock.now()).unwrap();
        let id = new.id;
        let transaction = self.client.transaction().await.unwrap();
        transaction.execute("INSERT INTO sale VALUES ($1)", &[&id.as_uuid()]).await.unwrap();
        assert_eq!(self.store.submit_in(&transaction, vec![new]).await.unwrap().len(), 1);
        assert!(self.store.get(id, &Scope::Everything).await.unwrap().is_none(), "nobody sees it before the commit");
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
        id
    }

    async fn claim(&self) -> ClaimedJob {
        let (queues, lease) = (vec![QueueName::default()], Duration::from_secs(30));
        let claim = Claim { queues, limit: 1, lease, worker: Incarnation::random(), suspects: 0, handlers: None };
        self.store.claim(claim).await.unwrap().jobs.remove(0)
    }

    async fn count(&self, what: &str) -> i64 {
        self.client.query_one(&format!("SELECT count(*) FROM {what}"), &[]).await.unwrap().get(0)
    }
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_its_row_does() {
    let mut shop = Shop::open().await;
    for turn in 0..60 {
        let id = shop.sell(turn % 3 != 0).await;
        let job = shop.store.get(id, &Scope::Everything).await.unwrap();
        assert_eq!(job.is_some(), turn % 3 != 0);
    }
    assert_eq!((shop.count("sale").await, shop.count("windlass.ready").await), (40, 40));
}

#[tokio::test]
async fn a_worker_is_woken_by_the_commit() {
    let mut shop = Shop::open().await;
    let mut hints = shop.store.hints();
    shop.sell(true).await;
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), hints.next()).await.unwrap(), Hint::Ready);
}

#[tokio::test]
async fn an_effect_and_its_completion_are_one() {
    let mut shop = Shop::open().await;
    shop.sell(true).await;
    let job = shop.claim().await;
    for commit in [false, true] {
        let transaction = shop.client.transaction().await.unwrap();
        transaction.execute("INSERT INTO effect VALUES ($1)", &[&job.lease.id.as_uuid()]).await.unwrap();
        let fate = shop.store.complete_in(&transaction, job.lease, Payload::empty()).await.unwrap();
        assert_eq!(fate, Fate::Settled(Status::Completed));
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
        let status = shop.store.get(job.lease.id, &Scope::Everything).await.unwrap().unwrap().status;
        assert_eq!(status, if commit { Status::Completed } else { Status::InProgress });
    }
    assert_eq!(shop.count("effect").await, 1);
    let transaction = shop.client.transaction().await.unwrap();
    let again = shop.store.complete_in(&transaction, job.lease, Payload::empty()).await.unwrap();
    assert_eq!(again, Fate::Repeated(Status::Completed));
}

#[tokio::test]
async fn a_pooled_transaction_and_a_borrowed_one_will_do_too() {
    let mut shop = Shop::open().await;
    let job = || NewJob::build("Ship", Payload::empty()).finish(SystemClock.now()).unwrap();
    let config = shop.server.url().parse().unwrap();
    let pool = deadpool_postgres::Pool::builder(deadpool_postgres::Manager::new(config, NoTls)).build().unwrap();
    let mut pooled = pool.get().await.unwrap();
    let transaction = pooled.transaction().await.unwrap();
    let _created = shop.store.submit_in(&transaction, vec![job()]).await.unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = shop.client.transaction().await.unwrap();
    let _created = shop.store.submit_in(&mut transaction, vec![job()]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(shop.count("windlass.ready").await, 2);
}

fn keyed() -> NewJob {
    NewJob::build("Ship", Payload::empty()).key("tenant", "acme").finish(SystemClock.now()).unwrap()
}

async fn share(store: &Postgres, share: Share) {
    let gate = Gate::queue("default").unwrap();
    let edit = store.edit_gate(&gate, Edit::Share(share));
    tokio::time::timeout(Duration::from_secs(10), edit).await.expect("nobody is waited for").unwrap();
}

/// The transaction still sees the queue shared after the last rule is gone, and puts its job into a line.
#[tokio::test]
async fn a_job_that_an_old_snapshot_lined_up_is_found() {
    let mut shop = Shop::open().await;
    share(&shop.store, Share::by("tenant").unwrap()).await;
    let repeatable = shop.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let transaction = repeatable.start().await.unwrap();
    transaction.query("SELECT count(*) FROM windlass.rule", &[]).await.unwrap();
    share(&shop.store, Share::default()).await;
    let new = keyed();
    let id = new.id;
    let _ = shop.store.submit_in(&transaction, vec![new]).await.unwrap();
    transaction.commit().await.unwrap();
    shop.store.sweep(100).await.unwrap();
    assert_eq!(shop.claim().await.lease.id, id);
}

/// Whoever forgot the last rules waited for it, and everybody else for them.
#[tokio::test]
async fn a_transaction_that_has_lined_a_job_up_keeps_nobody_waiting() {
    let mut shop = Shop::open().await;
    share(&shop.store, Share::by("tenant").unwrap()).await;
    let transaction = shop.client.transaction().await.unwrap();
    let new = keyed();
    let id = new.id;
    let _ = shop.store.submit_in(&transaction, vec![new]).await.unwrap();
    share(&shop.store, Share::default()).await;
    let other = NewJob::build("Ship", Payload::empty()).finish(SystemClock.now()).unwrap();
    let first = other.id;
    let _ = shop.store.submit(vec![other]).await.unwrap();
    let (queues, lease) = (vec![QueueName::default()], Duration::from_secs(30));
    let claim = Claim { queues, limit: 9, lease, worker: Incarnation::random(), suspects: 0, handlers: None };
    let claimed =
        tokio::time::timeout(Duration::from_secs(10), shop.store.claim(claim)).await.expect("nobody is waited for");
    assert_eq!(claimed.unwrap().jobs[0].lease.id, first);
    transaction.commit().await.unwrap();
    shop.store.sweep(100).await.unwrap();
    assert_eq!(shop.claim().await.lease.id, id);
}

#[tokio::test]
async fn a_job_that_expires_does_so_from_within_a_transaction_too() {
    let mut shop = Shop::open().await;
    let mut ids = Vec::new();
    for commit in [true, false] {
        let expires = Expiry::At(SystemClock.now());
        let new = NewJob::build("Ship", Payload::empty()).expires(expires).finish(SystemClock.now()).unwrap();
        ids.push(new.id);
        let transaction = shop.client.transaction().await.unwrap();
        let _ = shop.store.submit_in(&transaction, vec![new]).await.unwrap();
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
    }
    assert_eq!(shop.count("windlass.expiring").await, 1);
    assert_eq!(shop.store.sweep(10).await.unwrap().expired, 1);
    let job = shop.store.get(ids[0], &Scope::Everything).await.unwrap().unwrap();
    assert_eq!(job.status, Status::Failed);
    assert_eq!(shop.count("windlass.expiring").await, 0);
}
