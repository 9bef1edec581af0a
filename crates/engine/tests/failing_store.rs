//! What the engine does when its store fails, hangs or forgets to answer.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use windlass_core::{ErrorClass, JobError, NewJob, Payload, Status, Timestamp};
use windlass_dispatch::{Context, Error, FromContext, Handler, Json, Needs, Result, State, Stop};
use windlass_engine::{Engine, Submit};
use windlass_memory::Memory;
use windlass_store::{Scope, Store, Verbs};
use windlass_testkit::Faulty;

const EVERYTHING: Scope = Scope::Everything;
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
struct Signals {
    started: Arc<Notify>,
    stopped: Arc<Notify>,
    go_on: Arc<Notify>,
    runs: Arc<AtomicU32>,
}

/// Waits for the test's word, or for the engine's to stop.
struct Gate;

impl Handler for Gate {
    type Input = Json<u32>;
    type Output = Json<u32>;
    const NAME: &'static str = "Gate";

    fn needs(&self, needs: &mut Needs) {
        <State<Signals> as FromContext>::needs(needs);
    }

    async fn run(&self, Json(number): Json<u32>, cx: Context) -> Result<Json<u32>> {
        let State(signals) = State::<Signals>::from_context(&cx)?;
        signals.runs.fetch_add(1, Ordering::SeqCst);
        signals.started.notify_one();
        tokio::select! {
            () = signals.go_on.notified() => Ok(Json(number)),
            reason = cx.stopped() => {
                assert_eq!(reason, Stop::LeaseLost);
                signals.stopped.notify_one();
                Err(Error::new(ErrorClass::Transient, JobError::new("LOST", "lost")))
            }
        }
    }
}

async fn start(lease: Duration) -> (Engine, Arc<Faulty<Memory>>, Signals) {
    let store = Arc::new(Faulty::new(Memory::new()));
    let signals = Signals::default();
    let engine = Engine::builder(store.clone())
        .configure(|settings| {
            settings.lease = lease;
            settings.sweep_interval = Duration::from_millis(20);
            settings.submit_timeout = Duration::from_millis(200);
        })
        .handler(Gate)
        .state(signals.clone())
        .start()
        .await
        .unwrap();
    (engine, store, signals)
}

async fn completed(engine: &Engine, id: windlass_core::JobId) -> windlass_core::Job {
    let job = engine.wait(id, &EVERYTHING, PATIENCE).await.unwrap().unwrap();
    assert_eq!(job.status, Status::Completed);
    job
}

/// Asks the store inside, so that the failing calls are the engine's own.
async fn finished_inside(store: &Faulty<Memory>, id: windlass_core::JobId) {
    while !store.inner().get(id, &EVERYTHING).await.unwrap().unwrap().status.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_settlement_whose_answer_got_lost_is_asked_for_again_and_counts_once() {
    let (engine, store, signals) = start(Duration::from_secs(30)).await;
    let id = Gate.submit(&engine, 1).await.unwrap().id;
    signals.started.notified().await;
    store.forget_next(1);
    signals.go_on.notify_one();
    finished_inside(&store, id).await;
    let job = completed(&engine, id).await;
    assert_eq!((job.attempts.len(), signals.runs.load(Ordering::SeqCst)), (1, 1));
}

/// A network that swallowed three answers made a poisoned job of one that no process had ever begun.
#[tokio::test]
async fn jobs_whose_claims_were_answered_by_silence_run_at_once_and_count_no_crash() {
    let (engine, store, signals) = start(Duration::from_secs(30)).await;
    signals.go_on.notify_one();
    completed(&engine, Gate.submit(&engine, 0).await.unwrap().id).await;
    for number in 1..=3 {
        let job = NewJob::build("Gate", Payload::json(&number).unwrap()).finish(Timestamp::UNIX_EPOCH).unwrap();
        let id = job.id;
        store.forget_next(1);
        let _ = store.inner().submit(vec![job]).await.unwrap();
        signals.go_on.notify_one();
        finished_inside(&store, id).await;
        let job = store.inner().get(id, &EVERYTHING).await.unwrap().unwrap();
        assert_eq!((job.status, job.crashes, job.attempts.len()), (Status::Completed, 0, 1));
    }
}

#[tokio::test]
async fn settlements_outlive_a_store_that_refuses() {
    let (engine, store, signals) = start(Duration::from_secs(30)).await;
    let id = Gate.submit(&engine, 1).await.unwrap().id;
    signals.started.notified().await;
    store.refuse_next(5);
    signals.go_on.notify_one();
    finished_inside(&store, id).await;
    assert_eq!(signals.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_submission_to_a_failing_store_is_an_error_at_once_and_the_next_one_succeeds() {
    let (engine, store, signals) = start(Duration::from_secs(30)).await;
    signals.go_on.notify_one();
    completed(&engine, Gate.submit(&engine, 1).await.unwrap().id).await;
    store.refuse_next(1);
    let error = loop {
        // A sweep or a poll may have met the failure instead.
        match Gate.submit(&engine, 2).await {
            Err(error) => break error,
            Ok(_) => store.refuse_next(1),
        }
    };
    assert!(error.is_temporary(), "{error}");
    while Gate.submit(&engine, 3).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_submission_to_a_store_that_hangs_ends_in_time() {
    let (engine, store, _) = start(Duration::from_secs(30)).await;
    store.block();
    let error = Gate.submit(&engine, 1).await.unwrap_err();
    assert!(matches!(error, windlass_engine::Error::Timeout), "{error}");
    store.release();
}

#[tokio::test]
async fn a_worker_that_cannot_extend_stops_its_handlers_before_the_lease_ends() {
    let (engine, store, signals) = start(Duration::from_millis(300)).await;
    let id = Gate.submit(&engine, 1).await.unwrap().id;
    signals.started.notified().await;
    store.block();
    signals.stopped.notified().await;
    store.release();
    signals.go_on.notify_one();
    let job = completed(&engine, id).await;
    assert_eq!((job.crashes, job.attempts.len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_stuck_shows_in_readiness_and_then_in_liveness() {
    let (engine, store, signals) = start(Duration::from_secs(30)).await;
    signals.go_on.notify_one();
    completed(&engine, Gate.submit(&engine, 1).await.unwrap().id).await;
    assert!(engine.health().live && engine.health().ready);
    store.block();
    tokio::time::advance(Duration::from_secs(20)).await;
    assert!(engine.health().live && !engine.health().ready);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(!engine.health().live);
    store.release();
}

#[tokio::test]
async fn many_short_leases_are_kept_while_the_handler_runs() {
    let (engine, _, signals) = start(Duration::from_millis(200)).await;
    let id = Gate.submit(&engine, 1).await.unwrap().id;
    signals.started.notified().await;
    // Progress is told by the heartbeat; ten of its rounds are several leases.
    tokio::time::timeout(Duration::from_millis(800), signals.stopped.notified()).await.unwrap_err();
    signals.go_on.notify_one();
    assert_eq!(completed(&engine, id).await.crashes, 0);
}
