//! Unique jobs by the hands of programs.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_core::{JobId, ScheduleName, Status, Unique};
use windlass_dispatch::{Context, Handler, HandlerOptions, Json, Result};
use windlass_engine::{Engine, Error, Recur, Submit};
use windlass_memory::Memory;
use windlass_store::{Scope, SubmitOutcome};

const EVERYTHING: Scope = Scope::Everything;
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(serde::Serialize, serde::Deserialize)]
struct Change {
    document: u64,
    text: String,
}

struct Index;

impl Handler for Index {
    type Input = Json<Change>;
    type Output = ();
    const NAME: &'static str = "Index";

    async fn run(&self, _change: Json<Change>, _cx: Context) -> Result<()> {
        Ok(())
    }
}

/// Its jobs are unique unless one is told otherwise.
struct Publish;

impl Handler for Publish {
    type Input = Json<Change>;
    type Output = ();
    const NAME: &'static str = "Publish";

    fn options(&self) -> HandlerOptions {
        HandlerOptions { unique: Some(Unique::fields(["document"])), ..HandlerOptions::default() }
    }

    async fn run(&self, _change: Json<Change>, _cx: Context) -> Result<()> {
        Ok(())
    }
}

/// Runs until it is told to stop.
struct Render;

impl Handler for Render {
    type Input = Json<u64>;
    type Output = ();
    const NAME: &'static str = "Render";

    async fn run(&self, _page: Json<u64>, cx: Context) -> Result<()> {
        cx.stopped().await;
        Err(windlass_dispatch::Error::transient("stopped"))
    }
}

fn change(document: u64, text: &str) -> Change {
    Change { document, text: text.into() }
}

async fn idle() -> Engine {
    let engine = Engine::builder(Arc::new(Memory::new())).configure(|settings| settings.work = false).handler(Index);
    engine.start().await.unwrap()
}

#[tokio::test]
async fn who_submits_the_same_is_told_which_job_stands() {
    let engine = idle().await;
    let by_document = || Unique::fields(["document"]);
    let first = Index.submit(&engine, change(7, "a")).unique(by_document()).await.unwrap();
    let second = Index.submit(&engine, change(7, "b")).unique(by_document()).await.unwrap();
    let other = Index.submit(&engine, change(8, "a")).unique(by_document()).await.unwrap();
    assert_eq!((second.outcome, second.id), (SubmitOutcome::Duplicate, first.id));
    assert!(matches!(other.outcome, SubmitOutcome::Created(_)));
}

#[tokio::test]
async fn the_last_of_a_burst_stands() {
    let engine = idle().await;
    let debounced = |text| {
        let unique = Unique::key("documents").replace();
        Index.submit(&engine, change(1, text)).unique(unique).delay(Duration::from_secs(5))
    };
    let first = debounced("a").await.unwrap();
    let last = debounced("b").await.unwrap();
    assert_eq!(last.outcome, SubmitOutcome::Replaced(first.id));
    let status = async |id| engine.get(id, &EVERYTHING).await.unwrap().unwrap().status;
    assert_eq!((status(first.id).await, status(last.id).await), (Status::Canceled, Status::Scheduled));
}

#[tokio::test]
async fn what_cannot_make_a_job_unique_is_refused() {
    let engine = idle().await;
    let wrong = [Unique::key(""), Unique::fields(["author"]), Unique::key("k").within(Duration::ZERO)];
    for unique in wrong {
        let refused = Index.submit(&engine, change(1, "")).unique(unique).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_handlers_jobs_are_unique_unless_one_is_told_otherwise() {
    let engine = idle().await;
    let publish = |document, text| Publish.submit(&engine, change(document, text));
    let first = publish(7, "a").await.unwrap();
    let same = publish(7, "b").await.unwrap();
    assert_eq!((same.outcome, same.id), (SubmitOutcome::Duplicate, first.id));
    for other in [publish(7, "c").unique(None), publish(7, "d").unique(Unique::input())] {
        assert!(matches!(other.await.unwrap().outcome, SubmitOutcome::Created(_)));
    }
}

#[tokio::test]
async fn a_schedules_jobs_are_unique_as_it_says() {
    let engine = idle().await;
    let hourly = |name| Publish.every(name, Duration::from_secs(3600), change(7, "a"));
    hourly("a").declare(&engine).await.unwrap();
    hourly("b").unique(None).declare(&engine).await.unwrap();
    hourly("c").unique(Unique::input()).declare(&engine).await.unwrap();
    let key = async |name| {
        let found = engine.schedules().get(&ScheduleName::new(name).unwrap()).await.unwrap().unwrap();
        found.schedule.job.unique().map(|unique| unique.key)
    };
    let (a, b, c) = (key("a").await, key("b").await, key("c").await);
    assert!(a.is_some() && c.is_some() && a != c, "{a:?} {c:?}");
    assert_eq!(b, None);
}

async fn until(engine: &Engine, id: JobId, wanted: Status) {
    let reached = async {
        while engine.get(id, &EVERYTHING).await.unwrap().unwrap().status != wanted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("it gets there");
}

#[tokio::test]
async fn one_that_runs_hears_that_a_newer_one_takes_its_place() {
    let engine = Engine::builder(Arc::new(Memory::new())).handler(Render).start().await.unwrap();
    let newest = || Render.submit(&engine, 7).unique(Unique::input().cancel_running());
    let first = newest().await.unwrap();
    until(&engine, first.id, Status::InProgress).await;
    let second = newest().await.unwrap();
    assert_eq!(second.outcome, SubmitOutcome::Replaced(first.id));
    until(&engine, first.id, Status::Canceled).await;
    until(&engine, second.id, Status::InProgress).await;
}

/// Whoever waits for a job that is replaced need not look again and again.
#[tokio::test]
async fn who_waits_for_one_that_is_replaced_is_told_at_once() {
    let engine = idle().await;
    let replacing = || Index.submit(&engine, change(1, "a")).unique(Unique::key("k").replace());
    let first = replacing().await.unwrap();
    let began = Instant::now();
    let replaced = async {
        // The other one waits by then.
        tokio::time::sleep(Duration::from_millis(50)).await;
        replacing().await.unwrap()
    };
    let (told, _) = tokio::join!(engine.wait(first.id, &EVERYTHING, PATIENCE), replaced);
    assert_eq!(told.unwrap().unwrap().status, Status::Canceled);
    assert!(began.elapsed() < Duration::from_millis(450), "{:?}", began.elapsed());
}
