//! How attempts end: success, errors, panics, timeouts, cancellation, unknown names, shutdown.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use windlass_core::{ErrorClass, Job, JobError, JobId, NewJob, Payload, Status, Timestamp};
use windlass_dispatch::{Context, Error, FromContext, Handler, Json, Needs, NoInput, Result, State, Stop};
use windlass_engine::{Engine, EngineBuilder, Submit};
use windlass_memory::Memory;
use windlass_store::{Canceled, Scope};

const EVERYTHING: Scope = Scope::Everything;
const PATIENCE: Duration = Duration::from_secs(20);

fn builder() -> EngineBuilder {
    Engine::builder(Arc::new(Memory::new())).configure(|settings| {
        settings.retry_delay_base = Duration::from_millis(1);
        settings.cancel_grace = Duration::from_millis(20);
    })
}

async fn finished(engine: &Engine, id: JobId) -> Job {
    let job = engine.wait(id, &EVERYTHING, PATIENCE).await.unwrap().unwrap();
    assert!(job.status.is_finished(), "still {}", job.status);
    job
}

/// Signals between a test and its handlers.
#[derive(Clone, Default)]
struct Signals {
    started: Arc<Notify>,
    go_on: Arc<Notify>,
    runs: Arc<AtomicU32>,
}

macro_rules! handler {
    ($name:ident, |$input:pat_param, $cx:ident, $signals:ident| $body:block) => {
        struct $name;

        impl Handler for $name {
            type Input = Json<u32>;
            type Output = Json<u32>;
            const NAME: &'static str = stringify!($name);

            fn needs(&self, needs: &mut Needs) {
                <State<Signals> as FromContext>::needs(needs);
            }

            async fn run(&self, Json($input): Json<u32>, $cx: Context) -> Result<Json<u32>> {
                let State($signals) = State::<Signals>::from_context(&$cx)?;
                $signals.runs.fetch_add(1, Ordering::SeqCst);
                $body
            }
        }
    };
}

handler!(Echo, |number, _cx, _signals| { Ok(Json(number)) });

handler!(FailUntil, |number, cx, _signals| {
    match cx.attempt() > number {
        true => Ok(Json(cx.attempt())),
        false => Err(Error::transient("not yet").code("NOT_YET")),
    }
});

handler!(FailForGood, |_number, _cx, _signals| { Err(Error::permanent("never")) });

handler!(Panic, |number, cx, _signals| {
    assert!(cx.attempt() > number, "attempt {} is too early", cx.attempt());
    Ok(Json(number))
});

handler!(Hang, |_number, _cx, signals| {
    signals.started.notify_one();
    std::future::pending().await
});

handler!(StopKindly, |number, cx, signals| {
    signals.started.notify_one();
    match cx.stopped().await {
        Stop::Canceled => Err(Error::new(ErrorClass::Transient, JobError::new("TIDY", "tidied up"))),
        _ => Ok(Json(number)),
    }
});

handler!(FinishAnyway, |number, cx, signals| {
    signals.started.notify_one();
    cx.stopped().await;
    Ok(Json(number))
});

handler!(Gate, |number, _cx, signals| {
    signals.started.notify_one();
    signals.go_on.notified().await;
    Ok(Json(number))
});

handler!(Emit, |number, cx, _signals| {
    cx.emit(Echo.job(number + 1)?)?;
    match cx.attempt() > 1 {
        true => Ok(Json(number)),
        false => Err(Error::transient("once more")),
    }
});

handler!(TooMuch, |number, _cx, _signals| { Ok(Json(number)) });

async fn start(builder: EngineBuilder) -> (Engine, Signals) {
    let signals = Signals::default();
    let engine = builder
        .handler(Echo)
        .handler(FailUntil)
        .handler(FailForGood)
        .handler(Panic)
        .handler(Hang)
        .handler(StopKindly)
        .handler(FinishAnyway)
        .handler(Gate)
        .handler(Emit)
        .handler(TooMuch)
        .state(signals.clone())
        .start()
        .await
        .unwrap();
    (engine, signals)
}

#[tokio::test]
async fn a_result_is_stored_and_read_back() {
    let (engine, _) = start(builder()).await;
    let id = Echo.submit(&engine, 7).await.unwrap().id;
    let job = finished(&engine, id).await;
    assert_eq!(job.status, Status::Completed);
    assert_eq!(job.result.unwrap().parse_json::<u32>().unwrap(), 7);
    assert_eq!(job.attempts.len(), 1);
}

#[tokio::test]
async fn transient_errors_are_retried_and_kept_in_the_history() {
    let (engine, _) = start(builder()).await;
    let id = FailUntil.submit(&engine, 2).await.unwrap().id;
    let job = finished(&engine, id).await;
    assert_eq!((job.status, job.retries), (Status::Completed, 2));
    let codes: Vec<_> =
        job.attempts.iter().filter_map(|attempt| attempt.error.as_ref()).map(|error| &*error.code).collect();
    assert_eq!(codes, ["NOT_YET", "NOT_YET"]);
}

#[tokio::test]
async fn retries_end_in_a_dead_letter() {
    let (engine, signals) = start(builder()).await;
    let id = FailUntil.submit(&engine, 99).await.unwrap().id;
    let job = finished(&engine, id).await;
    assert_eq!((job.status, job.retries), (Status::Failed, 3));
    assert_eq!(signals.runs.load(Ordering::SeqCst), 4);
    assert_eq!(job.error.unwrap().code, "NOT_YET");
}

#[tokio::test]
async fn permanent_errors_are_not_retried() {
    let (engine, signals) = start(builder()).await;
    let id = FailForGood.submit(&engine, 0).await.unwrap().id;
    assert_eq!(finished(&engine, id).await.status, Status::Failed);
    assert_eq!(signals.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_job_and_of_nothing_else() {
    let (engine, _) = start(builder()).await;
    let id = Panic.submit(&engine, 1).await.unwrap().id;
    let job = finished(&engine, id).await;
    assert_eq!(job.status, Status::Completed);
    let error = job.attempts[0].error.clone().unwrap();
    assert_eq!((&*error.code, &*error.message), (JobError::PANIC, "attempt 1 is too early"));
    assert_eq!(finished(&engine, Echo.submit(&engine, 1).await.unwrap().id).await.status, Status::Completed);
}

#[tokio::test]
async fn a_timeout_drops_the_handler_and_counts_as_a_failure() {
    let (engine, signals) = start(builder()).await;
    let job = engine.build_job("Hang", Payload::json(&0).unwrap()).timeout(Duration::from_millis(10)).retries(1);
    let id = engine.submit(job.finish(Timestamp::UNIX_EPOCH).unwrap()).await.unwrap().id;
    let job = finished(&engine, id).await;
    assert_eq!(job.status, Status::Failed);
    assert_eq!(job.error.unwrap().code, JobError::TIMEOUT);
    assert_eq!(signals.runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_running_job_hears_of_its_cancellation_and_may_tidy_up() {
    let (engine, signals) = start(builder()).await;
    let id = StopKindly.submit(&engine, 0).await.unwrap().id;
    signals.started.notified().await;
    assert!(matches!(engine.cancel(id, &EVERYTHING).await.unwrap(), Some(Canceled::Requested(_))));
    assert_eq!(finished(&engine, id).await.status, Status::Canceled);
}

#[tokio::test]
async fn a_handler_that_does_not_listen_is_dropped_after_the_grace() {
    let (engine, signals) = start(builder()).await;
    let id = Hang.submit(&engine, 0).await.unwrap().id;
    signals.started.notified().await;
    engine.cancel(id, &EVERYTHING).await.unwrap();
    assert_eq!(finished(&engine, id).await.status, Status::Canceled);
}

#[tokio::test]
async fn work_that_is_done_in_spite_of_a_cancellation_counts() {
    let (engine, signals) = start(builder()).await;
    let id = FinishAnyway.submit(&engine, 3).await.unwrap().id;
    signals.started.notified().await;
    engine.cancel(id, &EVERYTHING).await.unwrap();
    assert_eq!(finished(&engine, id).await.status, Status::Completed);
}

#[tokio::test]
async fn a_job_without_a_handler_is_given_back_not_failed() {
    let (engine, _) = start(builder()).await;
    let job = NewJob::build("NobodyKnows", Payload::empty()).finish(Timestamp::UNIX_EPOCH).unwrap();
    let id = engine.submit(job).await.unwrap().id;
    // A job behind it is finished, so the unknown one has been claimed and settled before.
    finished(&engine, Echo.submit(&engine, 1).await.unwrap().id).await;
    let job = engine.wait(id, &EVERYTHING, Duration::ZERO).await.unwrap().unwrap();
    assert!(!job.status.is_finished());
    assert_eq!((job.retries, job.crashes, job.attempts.len()), (0, 0, 0));
}

#[tokio::test]
async fn a_payload_of_the_wrong_shape_fails_for_good_with_a_code() {
    let (engine, _) = start(builder()).await;
    let job = engine.build_job("Echo", Payload::json("text").unwrap()).finish(Timestamp::UNIX_EPOCH).unwrap();
    let job = finished(&engine, engine.submit(job).await.unwrap().id).await;
    assert_eq!(job.status, Status::Failed);
    assert_eq!(job.error.unwrap().code, JobError::BAD_INPUT);
}

#[tokio::test]
async fn emitted_jobs_appear_once_and_only_with_a_completion() {
    let (engine, _) = start(builder()).await;
    let id = Emit.submit(&engine, 1).await.unwrap().id;
    assert_eq!(finished(&engine, id).await.retries, 1);
    let child = finished(&engine, id.emitted(0)).await;
    assert_eq!(child.result.unwrap().parse_json::<u32>().unwrap(), 2);
    assert_eq!(engine.get(id.emitted(1), &EVERYTHING).await.unwrap(), None);
}

#[tokio::test]
async fn a_result_over_the_limit_fails_the_job() {
    let (engine, _) = start(builder().configure(|settings| settings.result_bytes_max = 3)).await;
    let job = finished(&engine, TooMuch.submit(&engine, 12_345).await.unwrap().id).await;
    assert_eq!((job.status, &*job.error.unwrap().code), (Status::Failed, JobError::BAD_RESULT));
}

#[tokio::test]
async fn shutdown_lets_running_jobs_finish() {
    let (engine, signals) = start(builder()).await;
    let id = Gate.submit(&engine, 5).await.unwrap().id;
    signals.started.notified().await;
    let stopping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.shutdown().await }
    });
    engine.shutting_down().await;
    signals.go_on.notify_one();
    stopping.await.unwrap();
    assert_eq!(engine.get(id, &EVERYTHING).await.unwrap().unwrap().status, Status::Completed);
    assert!(!engine.health().ready);
    assert!(matches!(Echo.submit(&engine, 1).await, Err(windlass_engine::Error::ShuttingDown)));
}

#[tokio::test]
async fn shutdown_gives_back_what_does_not_finish_without_spending_an_attempt() {
    let (engine, signals) = start(builder().configure(|settings| settings.shutdown_grace = Duration::ZERO)).await;
    let id = Hang.submit(&engine, 5).await.unwrap().id;
    signals.started.notified().await;
    engine.shutdown().await;
    let job = engine.get(id, &EVERYTHING).await.unwrap().unwrap();
    assert_eq!((job.status, job.retries, job.crashes), (Status::Queued, 0, 0));
}

#[tokio::test]
async fn progress_is_visible_while_the_handler_runs() {
    struct Report;
    impl Handler for Report {
        type Input = NoInput;
        type Output = ();
        const NAME: &'static str = "Report";
        async fn run(&self, _input: NoInput, cx: Context) -> Result<()> {
            cx.progress_with(0.5, "half way").await;
            cx.stopped().await;
            Ok(())
        }
    }
    let engine = builder().handler(Report).start().await.unwrap();
    let id = Report.submit(&engine, ()).await.unwrap().id;
    let reported = loop {
        let job = engine.wait(id, &EVERYTHING, Duration::from_millis(1)).await.unwrap().unwrap();
        if let Some(progress) = job.progress {
            break progress;
        }
    };
    assert_eq!((reported.fraction, reported.message.as_deref()), (0.5, Some("half way")));
    engine.cancel(id, &EVERYTHING).await.unwrap();
    finished(&engine, id).await;
}

/// The limit used to be known only once a handler had given its thread back for the first time: one that never did
/// kept its job for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_loses_its_job_at_the_time_limit() {
    struct Block(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);
    impl Handler for Block {
        type Input = NoInput;
        type Output = ();
        const NAME: &'static str = "Block";
        async fn run(&self, _input: NoInput, _cx: Context) -> Result<()> {
            let _ = self.0.lock().unwrap().recv();
            Ok(())
        }
    }
    let (go_on, blocked) = std::sync::mpsc::channel();
    let engine = builder().handler(Block(std::sync::Mutex::new(blocked))).start().await.unwrap();
    let job = engine.build_job("Block", Payload::empty()).timeout(Duration::from_millis(50)).retries(0);
    let id = engine.submit(job.finish(Timestamp::UNIX_EPOCH).unwrap()).await.unwrap().id;
    let job = finished(&engine, id).await;
    assert_eq!((job.status, &*job.error.unwrap().code), (Status::Failed, JobError::TIMEOUT));
    go_on.send(()).unwrap();
}

#[tokio::test]
async fn leases_are_not_kept_alive_without_the_engines_runtime() {
    let store = Arc::new(Memory::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let inside = store.clone();
    let worker = std::thread::spawn(move || {
        runtime.block_on(async {
            let signals = Signals::default();
            let lease = |settings: &mut windlass_engine::Settings| settings.lease = Duration::from_millis(200);
            let engine = Engine::builder(inside).configure(lease).handler(Hang).state(signals.clone());
            let engine = engine.start().await.unwrap();
            let id = Hang.submit(&engine, 1).await.unwrap().id;
            signals.started.notified().await;
            id
        })
        // The runtime is dropped here, with the engine in full swing.
    });
    let id = worker.join().unwrap();
    let successor = Engine::builder(store).configure(|settings| settings.sweep_interval = Duration::from_millis(20));
    let (engine, signals) = start(successor).await;
    signals.started.notified().await;
    assert_eq!(engine.get(id, &EVERYTHING).await.unwrap().unwrap().crashes, 1);
}

#[tokio::test]
async fn a_delay_may_be_a_text_of_iso_8601() {
    let (engine, _) = start(builder()).await;
    let id = Echo.submit(&engine, 7).delay_iso("P1DT2H").await.unwrap().id;
    let job = engine.get(id, &EVERYTHING).await.unwrap().unwrap();
    let due = job.created_at.after(Duration::from_secs(26 * 3_600));
    assert_eq!((job.status, job.scheduled_at), (Status::Scheduled, Some(due)));
    for text in ["5m", "P1M", "-PT5M", "P3651D", ""] {
        let refused = Echo.submit(&engine, 7).delay_iso(text).await;
        assert!(matches!(refused, Err(windlass_engine::Error::Invalid(error)) if error.what() == "duration"), "{text}");
    }
}
