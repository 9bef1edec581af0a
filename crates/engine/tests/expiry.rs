//! Jobs that come too late.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{
    Clock, Expiry, Job, JobError, JobId, ManualClock, NewJob, Payload, Status, SystemClock, Timestamp,
};
use windlass_dispatch::{Context, Handler, NoInput, Result};
use windlass_engine::{Engine, Error, Submission, Submit};
use windlass_memory::Memory;
use windlass_store::{Scope, Verbs};

const EVERYTHING: Scope = Scope::Everything;
const PATIENCE: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_secs(60);

/// Is done at once.
struct Quick;

impl Handler for Quick {
    type Input = NoInput;
    type Output = ();
    const NAME: &'static str = "Quick";

    async fn run(&self, _: NoInput, _: Context) -> Result<()> {
        Ok(())
    }
}

/// Is never done.
struct Endless;

impl Handler for Endless {
    type Input = NoInput;
    type Output = ();
    const NAME: &'static str = "Endless";

    async fn run(&self, _: NoInput, _: Context) -> Result<()> {
        std::future::pending().await
    }
}

async fn ended(engine: &Engine, id: JobId) -> Job {
    engine.wait(id, &EVERYTHING, PATIENCE).await.unwrap().unwrap()
}

fn code(job: &Job) -> Option<&str> {
    job.error.as_ref().map(|error| &*error.code)
}

/// Submits to a store on which nobody works yet, lets time pass, and has somebody work.
async fn after(span: Duration, shape: impl Fn(Submission, Timestamp) -> Submission) -> Job {
    let clock = ManualClock::at(Timestamp::from_millis(1_795_348_800_000));
    let store = Arc::new(Memory::with_clock(Arc::new(clock.clone())));
    let idle = Engine::builder(store.clone()).configure(|settings| settings.work = false).handler(Quick);
    let idle = idle.start().await.unwrap();
    let id = shape(Quick.submit(&idle, ()), clock.now()).await.unwrap().id;
    clock.advance(span);
    let engine = Engine::builder(store).handler(Quick).start().await.unwrap();
    ended(&engine, id).await
}

#[tokio::test]
async fn a_job_that_waited_too_long_is_a_dead_letter_that_says_so() {
    let within = |job: Submission, _| job.start_within(MINUTE);
    let before = |job: Submission, now: Timestamp| job.start_before(now.after(MINUTE));
    let by = |job: Submission, now: Timestamp| job.deadline(now.after(MINUTE));
    for job in [after(MINUTE, within).await, after(MINUTE, before).await, after(MINUTE, by).await] {
        assert_eq!((job.status, code(&job)), (Status::Failed, Some(JobError::EXPIRED)));
    }
    let just_in_time = MINUTE - Duration::from_micros(1);
    // Time stands, but the process's own watch goes on from the claim: leave it room.
    for job in [after(just_in_time / 2, within).await, after(just_in_time / 2, before).await] {
        assert_eq!(job.status, Status::Completed);
    }
}

#[tokio::test]
async fn a_deadline_stops_a_handler_and_no_retry_follows() {
    let engine = Engine::builder(Arc::new(Memory::new())).handler(Endless).start().await.unwrap();
    let deadline = SystemClock.now().after(Duration::from_millis(200));
    let id = Endless.submit(&engine, ()).deadline(deadline).await.unwrap().id;
    let job = ended(&engine, id).await;
    assert_eq!((job.status, code(&job), job.retries), (Status::Failed, Some(JobError::EXPIRED), 0));
    assert!(job.finished_at.unwrap() >= deadline);
}

#[tokio::test]
async fn an_expiry_that_is_none_is_refused() {
    let engine = Engine::builder(Arc::new(Memory::new())).handler(Quick).start().await.unwrap();
    for span in [Duration::ZERO, Duration::MAX] {
        let refused = Quick.submit(&engine, ()).start_within(span).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(error) if error.what() == "expiry"));
    }
}

#[tokio::test]
async fn nobody_needs_to_work_for_a_job_to_expire() {
    let clock = ManualClock::default();
    let store = Arc::new(Memory::with_clock(Arc::new(clock.clone())));
    let new = NewJob::build(Quick::NAME, Payload::empty()).expires(Expiry::After(MINUTE)).finish(clock.now()).unwrap();
    let id = new.id;
    let _created = store.submit(vec![new]).await.unwrap();
    clock.advance(MINUTE);
    let idle = Engine::builder(store).configure(|settings| settings.work = false).handler(Quick).start().await.unwrap();
    let job = ended(&idle, id).await;
    assert_eq!((job.status, code(&job), job.attempts.len()), (Status::Failed, Some(JobError::EXPIRED), 0));
}
