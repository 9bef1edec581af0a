//! What is on disk after the process has gone, and what the next one makes of it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::{AttemptOutcome, Clock, Incarnation, JobError, ManualClock, NewJob, Payload, QueueName, Status};
use windlass_embedded::Embedded;
use windlass_store::{
    Claim, ClaimedJob, ErrorKind, Exchange, Extend, Extension, Fate, Outcome, Scope, Settlement, Store, SubmitOutcome,
    Verbs,
};

fn open(directory: &Path, clock: &ManualClock) -> Embedded {
    Embedded::options().clock(Arc::new(clock.clone())).open(directory).unwrap()
}

fn job(clock: &ManualClock, text: &str) -> NewJob {
    NewJob::build("Job", Payload::json(text).unwrap()).finish(clock.now()).unwrap()
}

async fn claim(store: &Embedded, limit: usize) -> Vec<ClaimedJob> {
    let (queues, worker) = (vec![QueueName::default()], Incarnation::random());
    store
        .claim(Claim { queues, limit, lease: Duration::from_secs(30), worker, suspects: 1, handlers: None })
        .await
        .unwrap()
        .jobs
}

fn ended(job: &ClaimedJob, outcome: Outcome) -> Vec<Settlement> {
    vec![Settlement { lease: job.lease, outcome, emitted: Vec::new() }]
}

fn completed(job: &ClaimedJob) -> Vec<Settlement> {
    ended(job, Outcome::Complete(Payload::empty()))
}

#[tokio::test]
async fn everything_known_of_a_job_survives_a_restart() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let store = open(directory.path(), &clock);
    store.submit(vec![job(&clock, "a"), job(&clock, "b"), job(&clock, "c")]).await.unwrap();
    let claimed = claim(&store, 2).await;
    let result = Payload::new("text/plain", "done");
    assert_eq!(
        store.settle(ended(&claimed[0], Outcome::Complete(result))).await.unwrap(),
        [Fate::Settled(Status::Completed)]
    );
    let error = JobError::new("X", "why");
    let retry = Outcome::Retry { delay: Duration::from_secs(60), error };
    store.settle(ended(&claimed[1], retry)).await.unwrap();
    let filter = windlass_store::Filter { limit: 10, ..Default::default() };
    let before = store.query().unwrap().list(&filter).await.unwrap().jobs;
    drop(store);

    let store = open(directory.path(), &clock);
    let after = store.query().unwrap().list(&filter).await.unwrap().jobs;
    assert_eq!(before, after);
    let statuses: Vec<Status> = after.iter().map(|job| job.status).collect();
    assert_eq!(statuses, [Status::Completed, Status::Scheduled, Status::Queued]);
}

#[tokio::test]
async fn the_first_sweep_takes_back_what_ran_when_the_process_ended() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let store = open(directory.path(), &clock);
    store.submit(vec![job(&clock, "a")]).await.unwrap();
    let lost = claim(&store, 1).await.remove(0);
    drop(store);

    let store = open(directory.path(), &clock);
    let extend = Extend { lease: lost.lease, duration: Duration::from_secs(30), progress: None };
    assert_eq!(store.extend(vec![extend]).await.unwrap(), [Extension::Lost]);
    assert_eq!(store.settle(completed(&lost)).await.unwrap(), [Fate::LeaseLost]);
    assert_eq!(store.sweep(100).await.unwrap().reclaimed, 1);
    assert_eq!(store.settle(completed(&lost)).await.unwrap(), [Fate::LeaseLost]);

    let known = store.get(lost.lease.id, &Scope::Everything).await.unwrap().unwrap();
    assert_eq!((known.status, known.crashes), (Status::Queued, 1));
    assert_eq!(known.attempts[0].outcome, AttemptOutcome::Crashed);
    let again = claim(&store, 1).await.remove(0);
    assert!(again.lease.token > lost.lease.token);
    assert_eq!(store.settle(completed(&again)).await.unwrap(), [Fate::Settled(Status::Completed)]);
}

#[tokio::test]
async fn the_limit_of_a_queue_counts_what_waited_before_the_restart() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let store = open(directory.path(), &clock);
    store.submit(vec![job(&clock, "a"), job(&clock, "b")]).await.unwrap();
    drop(store);

    let store = open(directory.path(), &clock);
    let submit = vec![Arc::new(job(&clock, "c"))];
    let turn = Exchange { submit, queue_limit: Some(2), ..Exchange::default() };
    assert_eq!(store.exchange(turn).await.unwrap().submitted[0].outcome, SubmitOutcome::QueueFull);
}

/// A process that is killed leaves its files as they are at that moment: the log is not folded in, nothing is closed.
#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let store = open(directory.path(), &clock);
    for round in 0..20 {
        let new = job(&clock, &round.to_string());
        let id = new.id;
        store.submit(vec![new]).await.unwrap();
        let image = tempfile::tempdir().unwrap();
        for name in ["windlass.db", "windlass.db-wal", "windlass.reserve"] {
            fs::copy(directory.path().join(name), image.path().join(name)).unwrap();
        }
        let recovered = open(image.path(), &clock);
        assert!(recovered.get(id, &Scope::Everything).await.unwrap().is_some(), "round {round}");
        let counts = recovered.query().unwrap().counts().await.unwrap();
        assert_eq!(counts.total(Status::Queued), round + 1);
    }
}

#[tokio::test]
async fn a_token_is_not_issued_again_to_a_new_job_under_an_old_id() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let store = open(directory.path(), &clock);
    let new = job(&clock, "a");
    store.submit(vec![new.clone()]).await.unwrap();
    let first = claim(&store, 1).await.remove(0);
    store.settle(completed(&first)).await.unwrap();
    clock.advance(Duration::from_secs(25 * 3600));
    assert_eq!(store.sweep(10).await.unwrap().pruned, 1);

    store.submit(vec![new]).await.unwrap();
    let second = claim(&store, 1).await.remove(0);
    assert_eq!(first.lease.id, second.lease.id);
    assert!(second.lease.token > first.lease.token);
    assert_eq!(store.settle(completed(&first)).await.unwrap(), [Fate::LeaseLost]);
}

#[tokio::test]
async fn a_closed_store_answers_what_it_took_and_takes_no_more() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
    let store = open(directory.path(), &clock);
    let other = store.clone();
    store.submit(vec![job(&clock, "a")]).await.unwrap();
    store.close();
    assert_eq!(other.submit(vec![job(&clock, "b")]).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(other.ping().await.unwrap_err().kind(), ErrorKind::Closed);
    let reopened = open(directory.path(), &clock);
    assert_eq!(reopened.query().unwrap().counts().await.unwrap().total(Status::Queued), 1);
}
