//! The wake channel. Hints are only hints, but a store that never sends them makes every process wait for its poll.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{JobId, NewJob};
use windlass_store::{Exchange, Hint, Hints, Outcome};

use crate::jobs::{complete, delayed, plain};
use crate::probe::{Probe, settlement};

/// How long a hint may take before its absence is a failure. No passing test waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn expect(hints: &mut Hints, wanted: Hint) {
    let found = async { while hints.next().await != wanted {} };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{wanted:?} was never sent"));
}

/// Everything sent up to now: the cancellation of a running job marks the end.
async fn sent_before_cancel(probe: &Probe, hints: &mut Hints, running: JobId) -> Vec<Hint> {
    probe.cancel(running).await;
    let mut sent = Vec::new();
    let collect = async {
        loop {
            match hints.next().await {
                Hint::CancelRequested(id) if id == running => break,
                hint => sent.push(hint),
            }
        }
    };
    tokio::time::timeout(PATIENCE, collect).await.expect("the cancellation is hinted at");
    sent
}

pub async fn a_submission_wakes_a_subscriber(probe: Probe) {
    let mut hints = probe.store().hints();
    probe.submit(&plain()).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn every_subscriber_is_woken(probe: Probe) {
    let mut hints = [probe.store().hints(), probe.store().hints()];
    probe.submit(&plain()).await;
    for hints in &mut hints {
        expect(hints, Hint::Ready).await;
    }
}

pub async fn a_cancellation_reaches_the_runner(probe: Probe) {
    let taken = probe.run(&plain()).await;
    let mut hints = probe.store().hints();
    probe.cancel(taken.lease.id).await;
    expect(&mut hints, Hint::CancelRequested(taken.lease.id)).await;
}

/// What was said before is heard first: some stores pass hints on by way of others.
pub async fn a_turn_that_claims_all_it_submits_wakes_nobody(probe: Probe) {
    let mut hints = probe.store().hints();
    let running = probe.run(&plain()).await.lease.id;
    sent_before_cancel(&probe, &mut hints, running).await;
    let claim = Some(probe.want(&["default"], 2));
    let submit = vec![Arc::new(plain()), Arc::new(plain())];
    let answers = probe.exchange(Exchange { submit, claim, ..Exchange::default() }).await;
    assert_eq!(answers.claimed.jobs.len(), 2);
    assert_eq!(sent_before_cancel(&probe, &mut hints, running).await, []);
}

pub async fn a_turn_that_leaves_work_wakes_somebody(probe: Probe) {
    let mut hints = probe.store().hints();
    let claim = Some(probe.want(&["default"], 1));
    let submit = vec![Arc::new(plain()), Arc::new(plain())];
    probe.exchange(Exchange { submit, claim, ..Exchange::default() }).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn an_earlier_due_job_wakes(probe: Probe) {
    probe.submit(&delayed(Duration::from_secs(3600))).await;
    let mut hints = probe.store().hints();
    probe.submit(&delayed(Duration::from_secs(60))).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn emitted_work_wakes(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let mut hints = probe.store().hints();
    let child = NewJob { id: parent.lease.id.emitted(0), ..plain() };
    probe.settle_emitting(parent.lease, complete(), &[child]).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn released_work_wakes(probe: Probe) {
    let taken = probe.run(&plain()).await;
    let mut hints = probe.store().hints();
    probe.finish(taken.lease, Outcome::Release).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn reclaimed_work_wakes(probe: Probe) {
    probe.run(&plain()).await;
    let mut hints = probe.store().hints();
    assert_eq!(probe.crash().await.reclaimed, 1);
    expect(&mut hints, Hint::Ready).await;
}

pub async fn a_completion_alone_wakes_nobody(probe: Probe) {
    let mut hints = probe.store().hints();
    let running = probe.run(&plain()).await.lease.id;
    let taken = probe.run(&plain()).await;
    sent_before_cancel(&probe, &mut hints, running).await;
    probe.exchange(Exchange { settle: vec![settlement(taken.lease, complete(), &[])], ..Exchange::default() }).await;
    assert_eq!(sent_before_cancel(&probe, &mut hints, running).await, []);
}

/// What was said before is heard first, so that only the sweep can be meant.
pub async fn a_job_that_a_sweep_makes_ready_wakes(probe: Probe) {
    let running = probe.run(&plain()).await.lease.id;
    probe.submit(&delayed(Duration::from_secs(5))).await;
    let mut hints = probe.store().hints();
    sent_before_cancel(&probe, &mut hints, running).await;
    probe.advance(Duration::from_secs(5));
    assert_eq!(probe.sweep().await.promoted, 1);
    expect(&mut hints, Hint::Ready).await;
}
