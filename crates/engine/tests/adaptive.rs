//! The number of attempts at the same time, as the engine finds it out.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use windlass_core::{Clock, NewJob, Payload, Status, SystemClock};
use windlass_dispatch::{Context, Handler, NoInput, Result};
use windlass_engine::{Engine, EngineBuilder};
use windlass_memory::Memory;
use windlass_store::SharedStore;

const JOBS: usize = 800;

/// Asks an upstream that works on four requests at a time.
#[derive(Clone)]
struct Call {
    upstream: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Handler for Call {
    type Input = NoInput;
    type Output = ();
    const NAME: &'static str = "Call";

    async fn run(&self, _: NoInput, _cx: Context) -> Result<()> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        let place = self.upstream.acquire().await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(place);
        self.running.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

fn call() -> Call {
    Call { upstream: Arc::new(Semaphore::new(4)), running: Arc::default(), most: Arc::default() }
}

fn builder(store: &SharedStore) -> EngineBuilder {
    Engine::builder(store.clone()).configure(|settings| settings.max_concurrency = 64)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_at_the_floor_and_settles_far_below_the_ceiling() {
    let (store, call) = (Arc::new(Memory::new()) as SharedStore, call());
    let builder = builder(&store).configure(|settings| settings.min_concurrency = Some(2)).handler(call.clone());
    let engine = builder.start().await.unwrap();
    assert_eq!(engine.health().concurrency, 2);
    let job = |_| NewJob::build(Call::NAME, Payload::empty()).finish(SystemClock.now()).unwrap();
    let _created = engine.submit_all((0..JOBS).map(job).collect()).await.unwrap();
    while store.query().unwrap().counts().await.unwrap().total(Status::Completed) < JOBS as u64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found = engine.health().concurrency;
    assert!((3..=32).contains(&found), "{found}");
    assert!(call.most.load(Ordering::SeqCst) <= 64);
    engine.shutdown().await;
}

#[tokio::test]
async fn what_is_set_stands_unless_it_is_to_be_found_out() {
    let store = Arc::new(Memory::new()) as SharedStore;
    let engine = builder(&store).handler(call()).start().await.unwrap();
    assert_eq!(engine.health().concurrency, 64);
    engine.shutdown().await;
    let wrong = builder(&store).configure(|settings| settings.min_concurrency = Some(65)).handler(call());
    assert!(wrong.start().await.is_err());
}
