//! What the engine asks of its store, turn by turn.
#![allow(clippy::unwrap_used, missing_docs)]

mod guarded;

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc};
use windlass_core::{JobId, NewJob, Payload, Status};
use windlass_dispatch::{Context, Handler, Json, Result as Handled};
use windlass_engine::{Engine, Settings, Submit};
use windlass_store::{Exchange, Result, Scope};

use crate::guarded::{Guard, Guarded};

/// How many jobs a turn brought, and how many it asked for.
type Seen = (usize, Option<usize>);

/// Tells of each turn that brings jobs, submitted or emitted, and lets it go on when the test says so.
struct Watched {
    turns: mpsc::UnboundedSender<Seen>,
    go_on: Semaphore,
}

#[async_trait]
impl Guard for Watched {
    async fn pass(&self, turn: &Exchange) -> Result<()> {
        let brought = turn.submit.len() + turn.settle.iter().map(|one| one.emitted.len()).sum::<usize>();
        if brought > 0 {
            self.turns.send((brought, turn.claim.as_ref().map(|claim| claim.limit))).unwrap();
            self.go_on.acquire().await.unwrap().forget();
        }
        Ok(())
    }
}

struct Echo;

impl Handler for Echo {
    type Input = Json<u32>;
    type Output = Json<u32>;
    const NAME: &'static str = "Echo";

    async fn run(&self, number: Json<u32>, _: Context) -> Handled<Json<u32>> {
        Ok(number)
    }
}

/// Waits until the job has completed.
async fn run(engine: &Engine, id: JobId) {
    let job = engine.wait(id, &Scope::Everything, Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(job.status, Status::Completed);
}

/// Emits as many jobs as it is told.
struct Spread;

impl Handler for Spread {
    type Input = Json<u32>;
    type Output = Json<u32>;
    const NAME: &'static str = "Spread";

    async fn run(&self, Json(number): Json<u32>, cx: Context) -> Handled<Json<u32>> {
        for one in 0..number {
            cx.emit(NewJob::build(Echo::NAME, Payload::json(&one)?))?;
        }
        Ok(Json(number))
    }
}

/// An engine over a store that is watched, once nothing is known to wait in it.
async fn rested() -> (Engine, Arc<Guarded<Watched>>, mpsc::UnboundedReceiver<Seen>) {
    let (turns, mut seen) = mpsc::unbounded_channel();
    let store = Arc::new(Guarded::new(Watched { turns, go_on: Semaphore::new(1) }));
    let settings = Settings { poll_interval: Duration::from_secs(3_600), max_concurrency: 8, ..Settings::default() };
    let engine = Engine::builder(store.clone()).settings(settings).handler(Echo).handler(Spread);
    let engine = engine.start().await.unwrap();
    run(&engine, Echo.submit(&engine, 0).await.unwrap().id).await;
    assert_eq!(seen.recv().await.unwrap().0, 1);
    (engine, store, seen)
}

/// The first of two turns used to ask for everything that the process could hold. The second, under way beside it, had
/// room for nothing, and its own jobs went through the queue in place of starting at once.
#[tokio::test]
async fn turns_side_by_side_both_have_room_for_what_they_bring() {
    let (engine, store, mut seen) = rested().await;
    let first = tokio::spawn(Echo.submit(&engine, 1).into_future());
    assert_eq!(seen.recv().await.unwrap(), (1, Some(1)));
    let second = tokio::spawn(Echo.submit(&engine, 2).into_future());
    assert_eq!(seen.recv().await.unwrap(), (1, Some(1)));
    store.guard.go_on.add_permits(2);
    for submitted in [first, second] {
        run(&engine, submitted.await.unwrap().unwrap().id).await;
    }
}

#[tokio::test]
async fn a_turn_has_room_for_what_its_completions_emit() {
    let (engine, store, mut seen) = rested().await;
    store.guard.go_on.add_permits(2);
    let _submitted = Spread.submit(&engine, 3).await.unwrap();
    assert_eq!(seen.recv().await.unwrap(), (1, Some(1)));
    assert_eq!(seen.recv().await.unwrap(), (3, Some(4)), "three emitted and one ended");
}
