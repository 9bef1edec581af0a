//! Transfers between stores of this process: what arrives, what stays, what is said of it, and how one goes on.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use windlass_core::{Incarnation, Job, JobError, JobId, NewJob, Owner, Payload, Priority, QueueName, Start, Timestamp};
use windlass_embedded::Embedded;
use windlass_memory::Memory;
use windlass_store::{Claim, ClaimedJob, Lease, Outcome, Scope, Settlement, SharedStore, Store, Verbs};
use windlass_testkit::Faulty;
use windlass_testkit::invariants::accounting;
use windlass_transfer::{Phase, Report, Transfer, TransferError};

const HOUR: Duration = Duration::from_secs(3600);

fn new_job(number: u64) -> NewJob {
    let start = if number.is_multiple_of(3) { Start::After(HOUR) } else { Start::Now };
    let owner = (number.is_multiple_of(2)).then(|| Owner::new("ada").unwrap());
    NewJob::build("Number", Payload::json(&number).unwrap())
        .priority(Priority::new((number % 10) as u8).unwrap())
        .start(start)
        .owner(owner)
        .finish(Timestamp::UNIX_EPOCH)
        .unwrap()
}

async fn claim(store: &dyn Store, limit: usize) -> Vec<ClaimedJob> {
    let (queues, worker) = (vec![QueueName::default()], Incarnation::random());
    store.claim(Claim { queues, limit, lease: HOUR, worker, suspects: limit, handlers: None }).await.unwrap().jobs
}

async fn settle(store: &dyn Store, lease: Lease, outcome: Outcome) {
    let _ = store.settle(vec![Settlement { lease, outcome, emitted: Vec::new() }]).await.unwrap();
}

/// A store with so many jobs that wait, are due in an hour, failed, or wait for their second attempt.
async fn filled(jobs: u64) -> SharedStore {
    let store: SharedStore = Arc::new(Memory::new());
    let _ = store.submit((0..jobs).map(new_job).collect()).await.unwrap();
    for (place, taken) in claim(&*store, jobs as usize / 3).await.into_iter().enumerate() {
        let error = JobError::new("CARD", "declined");
        let retry = Outcome::Retry { delay: HOUR, error: error.clone() };
        settle(&*store, taken.lease, if place.is_multiple_of(2) { Outcome::Fail(error) } else { retry }).await;
    }
    store
}

/// All jobs in order of acceptance, whose counts agree.
async fn all_of(store: &SharedStore) -> Vec<Job> {
    accounting(store.query().unwrap()).await.unwrap()
}

async fn transfer(from: &SharedStore, to: &SharedStore) -> Report {
    Transfer::between(from.clone(), to.clone()).run(|_| ()).await.unwrap()
}

#[tokio::test]
async fn every_job_arrives_as_it_stands_and_in_its_order() {
    for jobs in [0, 1, 99, 100, 101, 1_000] {
        let folder = tempfile::tempdir().unwrap();
        let (from, to): (_, SharedStore) = (filled(jobs).await, Arc::new(Embedded::open(folder.path()).unwrap()));
        let report = transfer(&from, &to).await;
        assert!(report.is_complete(), "{report}");
        assert_eq!((report.copied, report.same, report.existing), (jobs, jobs, 0));
        assert_eq!(all_of(&to).await, all_of(&from).await);
    }
}

#[tokio::test]
async fn progress_is_told_for_both_passes_up_to_the_total() {
    let (from, to): (_, SharedStore) = (filled(250).await, Arc::new(Memory::new()));
    let mut told = Vec::new();
    Transfer::between(from, to).run(|progress| told.push(*progress)).await.unwrap();
    let done = |phase| told.iter().filter(move |progress| progress.phase == phase).map(|progress| progress.done);
    assert_eq!(done(Phase::Copying).collect::<Vec<_>>(), [100, 200, 250]);
    assert_eq!(done(Phase::Checking).collect::<Vec<_>>(), [100, 200, 250]);
    assert!(told.iter().all(|progress| progress.total == 250));
}

#[tokio::test]
async fn what_was_cut_off_goes_on_and_repeats_nothing() {
    let (from, to) = (filled(450).await, Arc::new(Faulty::new(Memory::new())));
    let mut pages = 0;
    let orders = to.clone();
    let cut = Transfer::between(from.clone(), to.clone()).run(|_| {
        pages += 1;
        if pages == 2 {
            // The third page is written, and nobody hears of it.
            orders.forget_next(1);
        }
    });
    let error = cut.await.unwrap_err();
    assert!(matches!(error, TransferError::Destination { store: "faulty", place: 200, .. }), "{error}");
    let to: SharedStore = to;
    let report = transfer(&from, &to).await;
    assert_eq!((report.copied, report.existing, report.same), (150, 300, 450));
    assert!(report.is_complete(), "{report}");
    assert_eq!(all_of(&to).await, all_of(&from).await);
}

#[tokio::test]
async fn a_transfer_may_go_on_behind_the_place_that_was_reached() {
    let (from, to): (_, SharedStore) = (filled(250).await, Arc::new(Memory::new()));
    let mut places = Vec::new();
    Transfer::between(from.clone(), to.clone()).run(|progress| places.push(progress.place)).await.unwrap();
    let behind = Transfer::between(from, to).resume_after(places[1]).run(|_| ()).await.unwrap();
    assert_eq!((behind.copied, behind.existing, behind.same), (0, 50, 250));
}

#[tokio::test]
async fn what_runs_or_is_over_stays_and_is_counted() {
    let (from, to): (SharedStore, SharedStore) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
    let _ = from.submit((1..=2).map(new_job).collect()).await.unwrap();
    let taken = claim(&*from, 2).await;
    settle(&*from, taken[0].lease, Outcome::Complete(Payload::empty())).await;
    let report = transfer(&from, &to).await;
    assert!(!report.is_complete(), "one job still runs");
    assert_eq!(report.left.iter().map(|(_, jobs)| jobs).sum::<u64>(), 2);
    assert!(report.to_string().contains("left behind: 1 InProgress"), "{report}");
    settle(&*from, taken[1].lease, Outcome::Release).await;
    let report = transfer(&from, &to).await;
    assert_eq!((report.copied, report.is_complete()), (1, true));
}

/// A worker on the source claims a job that was copied and completes it before the check comes by: it would run twice, and
/// neither count nor list shows it at the end.
#[tokio::test]
async fn work_at_the_source_is_noticed_even_when_it_is_over() {
    let (from, to): (SharedStore, SharedStore) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
    let _ = from.submit((1..=2).map(new_job).collect()).await.unwrap();
    let source = from.clone();
    let working = Transfer::between(from, to).run(|progress| {
        if progress.phase == Phase::Copying {
            let taken = claim(&*source, 1).now_or_never().unwrap();
            settle(&*source, taken[0].lease, Outcome::Complete(Payload::empty())).now_or_never().unwrap();
        }
    });
    let report = working.await.unwrap();
    assert!(report.source_moved && !report.is_complete(), "{report}");
    assert!(report.to_string().contains("still at work"), "{report}");
}

#[tokio::test]
async fn another_job_under_the_same_id_is_found() {
    let (from, to): (_, SharedStore) = (filled(5).await, Arc::new(Memory::new()));
    let id: JobId = all_of(&from).await[2].new.id;
    let other = NewJob { payload: Payload::empty(), ..new_job(1) };
    let _ = to.submit(vec![NewJob { id, ..other }]).await.unwrap();
    let report = transfer(&from, &to).await;
    assert_eq!((report.copied, report.existing, &report.different), (4, 1, &vec![id]));
    assert!(!report.is_complete() && report.source_sum != report.destination_sum);
}

#[tokio::test]
async fn a_job_that_is_not_there_is_found_even_behind_the_place_to_go_on_from() {
    let (from, to): (SharedStore, SharedStore) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
    let _ = from.submit(vec![new_job(1)]).await.unwrap();
    let report = Transfer::between(from, to).resume_after(u64::MAX).run(|_| ()).await.unwrap();
    assert_eq!((report.copied, report.missing.len(), report.is_complete()), (0, 1, false));
}

#[tokio::test]
async fn work_at_the_destination_is_no_mistake() {
    let (from, to): (SharedStore, SharedStore) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
    let _ = from.submit((1..=2).map(new_job).collect()).await.unwrap();
    transfer(&from, &to).await;
    let taken = claim(&*to, 1).await;
    settle(&*to, taken[0].lease, Outcome::Complete(Payload::empty())).await;
    let report = transfer(&from, &to).await;
    assert_eq!((report.existing, report.same, report.went_on), (2, 1, 1));
    assert!(report.is_complete(), "{report}");
    let found = to.get(taken[0].lease.id, &Scope::Everything).await.unwrap().unwrap();
    assert_eq!(found.result, Some(Payload::empty()));
}
