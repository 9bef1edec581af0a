//! A backup taken while others write holds everything acknowledged before it.
#![allow(clippy::unwrap_used)]

use windlass_core::{Clock, JobId, NewJob, Payload, SystemClock};
use windlass_embedded::Embedded;
use windlass_store::{ErrorKind, Scope, Store, Verbs};

async fn submit(store: &Embedded) -> JobId {
    let new = NewJob::build("Job", Payload::json("x").unwrap()).finish(SystemClock.now()).unwrap();
    let id = new.id;
    let _created = store.submit(vec![new]).await.unwrap();
    id
}

#[tokio::test]
async fn a_backup_under_load_opens_and_has_all_that_was_acknowledged() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Embedded::open(directory.path()).unwrap();
    let mut acknowledged = Vec::new();
    for _ in 0..50 {
        acknowledged.push(submit(&store).await);
    }
    let writing = async {
        for _ in 0..50 {
            submit(&store).await;
        }
    };
    let copy = elsewhere.path().join("copy");
    let (backup, ()) = tokio::join!(store.backup(&copy), writing);
    backup.unwrap();

    let restored = Embedded::open(&copy).unwrap();
    for id in acknowledged {
        assert!(restored.get(id, &Scope::Everything).await.unwrap().is_some());
    }
    submit(&restored).await;
}

#[tokio::test]
async fn a_backup_overwrites_nothing() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Embedded::open(directory.path()).unwrap();
    store.backup(elsewhere.path()).await.unwrap();
    assert_eq!(store.backup(elsewhere.path()).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(store.backup(directory.path()).await.unwrap_err().kind(), ErrorKind::Config);
}
