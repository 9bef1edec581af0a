//! Jobs go from a file to PostgreSQL, from there to Redis and back into a file, through a server that is killed on the way.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use windlass::open_store;
use windlass::store::{Claim, Outcome, Settlement, SharedStore, Verbs};
use windlass::transfer::{Report, Transfer, TransferError};
use windlass_core::{Incarnation, Job, JobError, NewJob, Payload, QueueName, Start, Timestamp};
use windlass_testkit::invariants::accounting;
use windlass_testkit::servers::{PostgresServer, RedisServer};

const JOBS: u64 = 3_000;
const HOUR: Duration = Duration::from_secs(3600);

fn new_job(number: u64) -> NewJob {
    let start = if number.is_multiple_of(3) { Start::After(HOUR) } else { Start::Now };
    let draft = NewJob::build("Number", Payload::json(&number).unwrap()).start(start);
    draft.queue(["mail", "default"][number as usize % 2]).finish(Timestamp::UNIX_EPOCH).unwrap()
}

/// A third of the jobs is due in an hour, some have failed, some wait for their second attempt, the others wait.
async fn fill(store: &SharedStore) {
    for start in (0..JOBS).step_by(500) {
        let _ = store.submit((start..start + 500).map(new_job).collect()).await.unwrap();
    }
    let queues = vec![QueueName::new("mail").unwrap(), QueueName::default()];
    let claim = Claim { queues, limit: 1_000, lease: HOUR, worker: Incarnation::random(), suspects: 0, handlers: None };
    let taken = store.claim(claim).await.unwrap().jobs;
    let ending = |place: usize| {
        let error = JobError::new("CARD", "declined");
        if place.is_multiple_of(2) { Outcome::Fail(error) } else { Outcome::Retry { delay: HOUR, error } }
    };
    let settlement = |(place, lease)| Settlement { lease, outcome: ending(place), emitted: Vec::new() };
    let leases = taken.iter().map(|job| job.lease).enumerate();
    let _ = store.settle(leases.map(settlement).collect()).await.unwrap();
}

/// All jobs in order of acceptance, whose counts agree.
async fn everything(store: &SharedStore) -> Vec<Job> {
    accounting(store.query().unwrap()).await.unwrap()
}

async fn transfer(from: &SharedStore, to: &SharedStore) -> Result<Report, TransferError> {
    Transfer::between(from.clone(), to.clone()).run(|_| ()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_travel_through_every_store_and_a_killed_server_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let address = |name: &str| format!("file:{}", folder.path().join(name).display());
    let (mut server, redis) = (PostgresServer::start().unwrap(), RedisServer::start().unwrap());
    let first = open_store(&address("first")).await.unwrap();
    fill(&first).await;
    let jobs = everything(&first).await;

    let postgres = open_store(&server.url()).await.unwrap();
    let cut = Transfer::between(first.clone(), postgres.clone()).run(|progress| {
        if progress.place == 1_000 {
            server.kill().unwrap();
        }
    });
    let error = cut.await.unwrap_err();
    assert!(matches!(error, TransferError::Destination { store: "postgres", .. }), "{error}");
    server.restart().unwrap();
    let report = transfer(&first, &postgres).await.unwrap();
    assert!(report.is_complete() && report.existing >= 1_000, "{report}");
    assert_eq!(report.same, JOBS);

    let second = open_store(&redis.url()).await.unwrap();
    assert!(transfer(&postgres, &second).await.unwrap().is_complete());
    let last = open_store(&address("last")).await.unwrap();
    let report = transfer(&second, &last).await.unwrap();
    assert!(report.is_complete() && report.copied == JOBS, "{report}");
    assert_eq!(everything(&last).await, jobs);
}
