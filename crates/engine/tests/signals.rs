//! What an autoscaler reads.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::{Clock, ManualClock, NewJob, Payload, QueueName, SystemClock};
use windlass_dispatch::{Context, Handler, NoInput, Result};
use windlass_engine::{Engine, QueueSignals};
use windlass_memory::Memory;
use windlass_store::Gates;

struct Rest;

impl Handler for Rest {
    type Input = NoInput;
    type Output = ();
    const NAME: &'static str = "Rest";

    async fn run(&self, _: NoInput, _cx: Context) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(())
    }
}

async fn default_queue(engine: &Engine) -> QueueSignals {
    let mut all = engine.signals().await.unwrap();
    assert_eq!((all.len(), &all[0].queue), (1, &QueueName::default()));
    all.remove(0)
}

/// Four slots of 50 ms do 80 a second at most, whatever else this machine does.
#[tokio::test]
async fn a_backlog_is_seen_to_be_worked_off() {
    let builder = Engine::builder(Arc::new(Memory::new())).configure(|settings| settings.max_concurrency = 4);
    let engine = builder.handler(Rest).start().await.unwrap();
    let job = |_| NewJob::build(Rest::NAME, Payload::empty()).finish(SystemClock.now()).unwrap();
    let _created = engine.submit_all((0..200).map(job).collect()).await.unwrap();
    let first = default_queue(&engine).await;
    assert!(first.waiting > 100, "{first:?}");
    assert_eq!((first.arrival_rate, first.service_rate, first.wanted_workers), (None, None, 1));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let second = default_queue(&engine).await;
    assert!(second.waiting < first.waiting && second.wanted_workers >= 1, "{second:?}");
    assert!(second.service_rate.is_some_and(|rate| rate > 0.0 && rate < 120.0), "{second:?}");
    assert!(second.arrival_rate < second.service_rate, "nothing arrives: {second:?}");
    while default_queue(&engine).await.wanted_workers > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let last = default_queue(&engine).await;
    assert_eq!((last.waiting, last.running), (0, 0));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_paused_queue_tells_for_how_long_its_oldest_job_waits() {
    let clock = ManualClock::default();
    let store = Memory::with_clock(Arc::new(clock.clone()));
    store.edit_gate(&"queue:default".parse().unwrap(), Edit::Pause("for a test".into())).await.unwrap();
    let engine = Engine::builder(Arc::new(store)).handler(Rest).start().await.unwrap();
    assert_eq!(default_queue(&engine).await.oldest_waiting, Duration::ZERO);
    let job = || NewJob::build(Rest::NAME, Payload::empty()).finish(clock.now()).unwrap();
    for _ in 0..2 {
        let _created = engine.submit_all(vec![job()]).await.unwrap();
        clock.advance(Duration::from_millis(45_250));
    }
    let signals = default_queue(&engine).await;
    assert_eq!((signals.waiting, signals.oldest_waiting), (2, Duration::from_millis(90_500)));
    assert_eq!(serde_json::to_value(signals).unwrap()["oldest_waiting"], 90.5);
    engine.shutdown().await;
}
