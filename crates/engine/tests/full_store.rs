//! What the engine does when its store takes no new jobs but everything else: an embedded store on a full disk.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use windlass_core::{Job, JobId, Status};
use windlass_dispatch::{Context, FromContext, Handler, Json, Needs, Result as Handled, State};
use windlass_engine::{Engine, Submit};
use windlass_memory::Memory;
use windlass_store::{Canceled, Error, ErrorKind, Exchange, Exchanged, Hints, Result, Scope, Store, Swept};

/// Refuses turns with new jobs in them, as a whole, while it is full.
struct Disk {
    inner: Memory,
    full: AtomicBool,
}

#[async_trait]
impl Store for Disk {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        if self.full.load(Ordering::SeqCst) && !turn.submit.is_empty() {
            return Err(Error::new(ErrorKind::Full, "the disk is full"));
        }
        self.inner.exchange(turn).await
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        self.inner.get(id, scope).await
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        self.inner.cancel(id, scope).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.inner.sweep(limit).await
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    fn name(&self) -> &'static str {
        "disk"
    }
}

#[derive(Clone, Default)]
struct Signals {
    started: Arc<Notify>,
    go_on: Arc<Notify>,
}

/// Waits for the test's word.
struct Gate;

impl Handler for Gate {
    type Input = Json<u32>;
    type Output = Json<u32>;
    const NAME: &'static str = "Gate";

    fn needs(&self, needs: &mut Needs) {
        <State<Signals> as FromContext>::needs(needs);
    }

    async fn run(&self, Json(number): Json<u32>, cx: Context) -> Handled<Json<u32>> {
        let State(signals) = State::<Signals>::from_context(&cx)?;
        signals.started.notify_one();
        signals.go_on.notified().await;
        Ok(Json(number))
    }
}

/// Submits again and again, whatever it hears.
async fn press(engine: Engine) {
    loop {
        let _refused = Gate.submit(&engine, 2).await;
        tokio::task::yield_now().await;
    }
}

/// Settlements used to travel with whatever was offered at the moment, so on a full disk with eager callers they were
/// refused with it, for ever: finished jobs stayed unfinished.
#[tokio::test]
async fn a_finished_job_is_settled_while_new_ones_are_offered_and_refused() {
    let store = Arc::new(Disk { inner: Memory::new(), full: AtomicBool::new(false) });
    let signals = Signals::default();
    let engine = Engine::builder(store.clone()).handler(Gate).state(signals.clone()).start().await.unwrap();
    let id = Gate.submit(&engine, 1).await.unwrap().id;
    signals.started.notified().await;
    store.full.store(true, Ordering::SeqCst);
    let callers: Vec<_> = (0..32).map(|_| tokio::spawn(press(engine.clone()))).collect();
    signals.go_on.notify_one();
    let settled = engine.wait(id, &Scope::Everything, Duration::from_secs(3)).await.unwrap().unwrap();
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(settled.status, Status::Completed);
    store.full.store(false, Ordering::SeqCst);
    signals.go_on.notify_one();
    let taken = tokio::time::timeout(Duration::from_secs(20), async {
        while Gate.submit(&engine, 3).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    taken.await.expect("new jobs are taken again when there is room");
}
