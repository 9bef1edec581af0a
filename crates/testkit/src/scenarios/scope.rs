//! Whose job it is: a stranger's job and no job are one answer.

use windlass_core::Status;
use windlass_store::{Canceled, Scope};

use crate::jobs::{owned_by, plain, scope_of};
use crate::probe::Probe;

pub async fn an_owner_sees_the_own_job(probe: Probe) {
    let job = owned_by("alice");
    probe.submit(&job).await;
    let seen = probe.store().get(job.id, &scope_of("alice")).await.expect("get");
    assert_eq!(seen, Some(probe.job(job.id).await));
}

pub async fn a_stranger_sees_nothing(probe: Probe) {
    let job = owned_by("alice");
    probe.submit(&job).await;
    for stranger in ["eve", "alic", "alice2", "Alice", "alice:sub"] {
        assert_eq!(probe.store().get(job.id, &scope_of(stranger)).await.expect("get"), None);
    }
}

pub async fn a_job_without_owner_is_seen_by_everything_only(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    assert_eq!(probe.store().get(job.id, &scope_of("alice")).await.expect("get"), None);
    assert!(probe.store().get(job.id, &Scope::Everything).await.expect("get").is_some());
}

pub async fn an_owner_cancels_the_own_job(probe: Probe) {
    let job = owned_by("alice");
    probe.submit(&job).await;
    assert!(matches!(probe.cancel_as(job.id, &scope_of("alice")).await, Some(Canceled::Done(_))));
}

pub async fn a_stranger_cancels_nothing(probe: Probe) {
    let (waiting, ownerless) = (owned_by("alice"), plain());
    let running = owned_by("alice");
    probe.run(&running).await;
    probe.submit_all(&[waiting.clone(), ownerless.clone()]).await;
    for id in [waiting.id, running.id, ownerless.id] {
        let before = probe.job(id).await;
        assert_eq!(probe.cancel_as(id, &scope_of("eve")).await, None);
        assert_eq!(probe.job(id).await, before);
    }
}

pub async fn workers_serve_every_owner(probe: Probe) {
    let jobs = [owned_by("alice"), owned_by("bob"), plain()];
    probe.submit_all(&jobs).await;
    assert_eq!(probe.take(3).await.len(), 3);
    assert_eq!(probe.status(jobs[0].id).await, Status::InProgress);
}
