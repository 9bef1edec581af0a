//! What is left of jobs on a server: blocks, and long submissions.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Settle, forgetful, job, listed, open, wanted};
use windlass_core::{JobId, NewJob, Payload};
use windlass_redis::Redis;
use windlass_store::{Outcome, Scope, Store, SubmitOutcome, Verbs};
use windlass_testkit::servers::RedisServer;

async fn complete(store: &Redis, most: usize) -> Vec<JobId> {
    let leases: Vec<_> = store.claim(wanted(most)).await.unwrap().jobs.iter().map(|job| job.lease).collect();
    for lease in &leases {
        store.settle_one(*lease, Outcome::Complete(Payload::new("text/plain", "done"))).await;
    }
    leases.iter().map(|lease| lease.id).collect()
}

/// Jobs submitted together are kept in blocks. What is cut out of one leaves the others where they were.
#[tokio::test]
async fn jobs_canceled_in_the_midst_of_a_batch_leave_the_others_in_order() {
    let server = RedisServer::start().unwrap();
    let store = open(&server.url()).await;
    let jobs: Vec<_> = (0..70).map(|number| job(&number.to_string())).collect();
    let _ = store.submit(jobs.clone()).await.unwrap();
    let canceled = [0, 5, 6, 31, 32, 40, 69];
    for place in canceled {
        store.cancel(jobs[place].id, &Scope::Everything).await.unwrap();
    }
    let mut claimed = Vec::new();
    for most in [1, 7, 20, 100] {
        claimed.extend(store.claim(wanted(most)).await.unwrap().jobs.iter().map(|job| job.lease.id));
    }
    let left = jobs.iter().enumerate().filter(|(place, _)| !canceled.contains(place)).map(|(_, job)| job.id);
    assert_eq!(claimed, left.collect::<Vec<_>>());
    assert_eq!(server.command(&["EXISTS", "{windlass}:ready"]).unwrap().trim(), ":0");
}

/// A block stays for its last job, and nothing stays after it. An id that comes again in the meantime stands at its new
/// place only.
#[tokio::test]
async fn a_block_goes_with_its_last_job() {
    for shards in [1, 3] {
        let server = RedisServer::start().unwrap();
        let store = forgetful(&server.url(), shards).await;
        let jobs: Vec<_> = (0..70).map(|number| job(&number.to_string())).collect();
        let _ = store.submit(jobs.clone()).await.unwrap();
        let mut gone = complete(&store, 60).await;
        assert_eq!((gone.len(), store.sweep(100).await.unwrap().pruned), (60, 60));
        assert_eq!(listed(&store).await.len(), 10);

        let again = jobs.iter().find(|job| job.id == gone[59]).unwrap();
        let _ = store.submit(vec![again.clone()]).await.unwrap();
        let now_listed = listed(&store).await;
        assert_eq!((now_listed.len(), now_listed[10]), (11, again.id));

        gone = complete(&store, 100).await;
        assert_eq!((gone.len(), store.sweep(100).await.unwrap().pruned), (11, 11));
        let left = server.command(&["KEYS", "*"]).unwrap();
        let left: Vec<_> = left.lines().filter(|line| line.starts_with('{')).collect();
        assert!(left.iter().all(|key| key.ends_with(":counts") || key.ends_with(":seq")), "{left:?}");
    }
}

/// Long submissions are kept apart, and come back whole wherever their jobs are asked for.
#[tokio::test]
async fn a_long_submission_is_kept_apart_and_comes_back_whole() {
    let server = RedisServer::start().unwrap();
    let store = forgetful(&server.url(), 1).await;
    let text = "long ".repeat(2_000);
    let jobs = [job(&text), job("short"), job(&text)];
    let (lone, batch) = (jobs[0].clone(), jobs[1..].to_vec());
    let _ = store.submit(vec![lone.clone()]).await.unwrap();
    let _ = store.submit(batch).await.unwrap();
    assert_eq!(server.command(&["HLEN", "{windlass}:long"]).unwrap().trim(), ":2");
    for (new, outcome) in [
        (lone.clone(), SubmitOutcome::Existing),
        (NewJob { payload: Payload::new("text/plain", text.clone() + "?"), ..lone }, SubmitOutcome::Conflict),
    ] {
        assert_eq!(store.submit(vec![new.clone()]).await.unwrap()[0].outcome, outcome);
        assert_eq!(store.submit(vec![new.clone(), new]).await.unwrap()[1].outcome, outcome);
    }
    for new in &jobs {
        assert_eq!(store.get(new.id, &Scope::Everything).await.unwrap().unwrap().new.payload, new.payload);
    }
    let claimed = store.claim(wanted(3)).await.unwrap().jobs;
    assert!(claimed.iter().zip(&jobs).all(|(claimed, new)| claimed.new.payload == new.payload));
    for job in claimed {
        store.settle_one(job.lease, Outcome::Stop).await;
    }
    assert_eq!(store.sweep(100).await.unwrap().pruned, 3);
    assert_eq!(server.command(&["EXISTS", "{windlass}:long"]).unwrap().trim(), ":0");
}
