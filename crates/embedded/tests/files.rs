//! The files: who may open them, what is refused, and that damage never passes for data.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use windlass_core::{Clock, Incarnation, Job, JobId, NewJob, Payload, QueueName, Status, SystemClock};
use windlass_embedded::Embedded;
use windlass_store::{Claim, ErrorKind, Filter, Result, Scope, Store, Verbs};

const JOBS: usize = 60;

fn jobs() -> Vec<NewJob> {
    let make = |index| NewJob::build("Job", Payload::json(&format!("{index}").repeat(40)).unwrap());
    (0..JOBS).map(|index| make(index).finish(SystemClock.now()).unwrap()).collect()
}

/// A closed store with some jobs, and the bytes of its database.
async fn filled(directory: &Path) -> (Vec<NewJob>, Vec<u8>) {
    let store = Embedded::open(directory).unwrap();
    let jobs = jobs();
    let _created = store.submit(jobs.clone()).await.unwrap();
    store.close();
    (jobs, fs::read(directory.join("windlass.db")).unwrap())
}

fn write(directory: &Path, bytes: &[u8]) {
    for name in ["windlass.db-wal", "windlass.db-shm"] {
        let _absent_after_a_clean_close = fs::remove_file(directory.join(name));
    }
    fs::write(directory.join("windlass.db"), bytes).unwrap();
}

/// Opens, reads and works; whatever happens must be the truth or a typed refusal.
async fn prove_honest(directory: &Path, jobs: &[NewJob], what: &str) -> bool {
    let store = match Embedded::open(directory) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Config), "{what}: {error:?}");
            return false;
        }
    };
    for new in jobs {
        check_read(store.get(new.id, &Scope::Everything).await, new, what);
    }
    check_work(&store, what).await
}

fn check_read(read: Result<Option<Job>>, new: &NewJob, what: &str) {
    match read {
        Ok(Some(job)) => assert_eq!((&job.new.payload, &job.new.name), (&new.payload, &new.name), "{what}"),
        Ok(None) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error:?}"),
    }
}

/// A panic of the writer or a reader would answer `Unavailable` or `Closed`.
async fn check_work(store: &Embedded, what: &str) -> bool {
    let (queues, worker) = (vec![QueueName::default()], Incarnation::random());
    let claim = Claim { queues, limit: JOBS, lease: Duration::from_secs(30), worker, suspects: 1, handlers: None };
    let listed = store.query().unwrap().list(&Filter { limit: 100, ..Filter::default() }).await.err();
    let counted = store.query().unwrap().counts().await.err();
    let failures = [store.claim(claim).await.err(), store.sweep(100).await.err(), listed, counted];
    for error in failures.iter().flatten() {
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Config), "{what}: {error:?}");
    }
    failures.iter().all(Option::is_none)
}

#[tokio::test]
async fn a_second_open_is_refused_and_says_where_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let refused = Embedded::open(directory.path()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Locked);
    let text = refused.to_string();
    assert!(text.contains(&*directory.path().to_string_lossy()) && text.contains("stop it"), "{text}");
    drop(store);
    assert!(Embedded::open(directory.path()).is_ok());
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let conn = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let refused = Embedded::open(directory.path()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("99"), "{refused}");
}

#[tokio::test]
async fn garbage_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("windlass.db"), "not a database, ".repeat(1_000)).unwrap();
    assert_eq!(Embedded::open(directory.path()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_database_that_has_gone_is_not_taken_for_a_fresh_start() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    write(directory.path(), &[]);
    assert_eq!(Embedded::open(directory.path()).unwrap_err().kind(), ErrorKind::Corrupt);
    fs::remove_file(directory.path().join("windlass.db")).unwrap();
    assert_eq!(Embedded::open(directory.path()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_truncated_database_is_refused_or_tells_the_truth() {
    let directory = tempfile::tempdir().unwrap();
    let (jobs, whole) = filled(directory.path()).await;
    for step in 1..40 {
        let end = whole.len() * step / 40 + step * 37 % 100;
        write(directory.path(), &whole[..end.min(whole.len() - 1)]);
        let intact = prove_honest(directory.path(), &jobs, &format!("cut at {end}")).await;
        assert!(!intact, "cut at {end} went unnoticed");
    }
}

#[tokio::test]
async fn a_flipped_bit_is_refused_or_tells_the_truth() {
    let directory = tempfile::tempdir().unwrap();
    let (jobs, whole) = filled(directory.path()).await;
    let header = (0..100).map(|byte| byte * 8 + byte % 8);
    let body = (0..60).map(|step| 800 + (step * 7_919 * 13) % (whole.len() * 8 - 800));
    for bit in header.chain(body) {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        write(directory.path(), &damaged);
        prove_honest(directory.path(), &jobs, &format!("bit {bit}")).await;
    }
}

/// A bit that flips inside the payload itself, which SQLite cannot see, is seen by the job's checksum; the jobs
/// around it are still read.
#[tokio::test]
async fn a_changed_payload_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let (jobs, whole) = filled(directory.path()).await;
    let needle = &jobs[7].payload.bytes[..];
    let mut damaged = whole.clone();
    // Free space may hold an older copy of the row.
    let places = (0..whole.len() - needle.len()).filter(|&at| whole[at..].starts_with(needle));
    places.for_each(|at| damaged[at + 5] ^= 1);
    write(directory.path(), &damaged);

    let store = Embedded::open(directory.path()).unwrap();
    let get = async |id: JobId| store.get(id, &Scope::Everything).await;
    assert_eq!(get(jobs[7].id).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(get(jobs[8].id).await.unwrap().unwrap().status, Status::Queued);
}
