//! What the engine does when its store takes no new jobs but everything else: an embedded store on a full disk.
#![allow(clippy::unwrap_used, missing_docs)]

mod guarded;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use windlass_core::Status;
use windlass_dispatch::{Context, FromContext, Handler, Json, Needs, Result as Handled, State};
use windlass_engine::{Engine, Submit};
use windlass_store::{Error, ErrorKind, Exchange, Result, Scope};

use crate::guarded::{Guard, Guarded};

/// Refuses turns with new jobs in them, as a whole, while it is full.
struct Disk {
    full: AtomicBool,
}

#[async_trait]
impl Guard for Disk {
    async fn pass(&self, turn: &Exchange) -> Result<()> {
        match self.full.load(Ordering::SeqCst) && !turn.submit.is_empty() {
            true => Err(Error::new(ErrorKind::Full, "the disk is full")),
            false => Ok(()),
        }
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
    let store = Arc::new(Guarded::new(Disk { full: AtomicBool::new(false) }));
    let signals = Signals::default();
    let engine = Engine::builder(store.clone()).handler(Gate).state(signals.clone()).start().await.unwrap();
    let id = Gate.submit(&engine, 1).await.unwrap().id;
    signals.started.notified().await;
    store.guard.full.store(true, Ordering::SeqCst);
    let callers: Vec<_> = (0..32).map(|_| tokio::spawn(press(engine.clone()))).collect();
    signals.go_on.notify_one();
    let settled = engine.wait(id, &Scope::Everything, Duration::from_secs(3)).await.unwrap().unwrap();
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(settled.status, Status::Completed);
    store.guard.full.store(false, Ordering::SeqCst);
    signals.go_on.notify_one();
    let taken = tokio::time::timeout(Duration::from_secs(20), async {
        while Gate.submit(&engine, 3).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    taken.await.expect("new jobs are taken again when there is room");
}
