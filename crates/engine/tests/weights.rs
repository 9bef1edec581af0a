//! Queues that take turns by weight, over a store.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use windlass_core::{NewJob, Payload, QueueName, Timestamp};
use windlass_dispatch::{Context, FromContext, Handler, Json, Needs, Result, State};
use windlass_engine::{Engine, EngineBuilder, StartError};
use windlass_memory::Memory;

const PATIENCE: Duration = Duration::from_secs(60);

/// Tells of each start.
#[derive(Clone)]
struct Starts(mpsc::UnboundedSender<usize>);

struct Work;

impl Handler for Work {
    /// The number of its queue.
    type Input = Json<usize>;
    type Output = ();
    const NAME: &'static str = "Work";

    fn needs(&self, needs: &mut Needs) {
        <State<Starts> as FromContext>::needs(needs);
    }

    async fn run(&self, Json(queue): Json<usize>, cx: Context) -> Result<()> {
        let State(Starts(starts)) = State::<Starts>::from_context(&cx)?;
        starts.send(queue).unwrap();
        Ok(())
    }
}

struct World {
    engine: Engine,
    starts: mpsc::UnboundedReceiver<usize>,
}

const QUEUES: [&str; 3] = ["first", "second", "third"];

impl World {
    /// With so many jobs waiting in each queue when work begins, and so many attempts at a time.
    async fn with(
        waiting: [usize; 3],
        concurrency: usize,
        change: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Self {
        let (starts, receiver) = mpsc::unbounded_channel();
        let builder = Engine::builder(Arc::new(Memory::new())).handler(Work).state(Starts(starts));
        let builder = builder.queues(QUEUES.map(|queue| QueueName::new(queue).unwrap())).configure(|settings| {
            settings.max_concurrency = concurrency;
            settings.batch_size = concurrency;
            settings.poll_interval = Duration::from_secs(3_600);
        });
        let world = Self { engine: change(builder).start().await.unwrap(), starts: receiver };
        world.engine.gates().pause("*", "until all are here").await.unwrap();
        for (queue, number) in waiting.into_iter().enumerate() {
            world.submit(queue, number).await;
        }
        world.engine.gates().resume("*").await.unwrap();
        world
    }

    async fn submit(&self, queue: usize, number: usize) {
        let job = || NewJob::build(Work::NAME, Payload::json(&queue).unwrap()).queue(QUEUES[queue]);
        let jobs: Vec<_> = (0..number).map(|_| job().finish(Timestamp::UNIX_EPOCH).unwrap()).collect();
        for batch in jobs.chunks(1_000) {
            let _ = self.engine.submit_all(batch.to_vec()).await.unwrap();
        }
    }

    /// Of which queues the next jobs are that start.
    async fn next(&mut self, number: usize) -> [usize; 3] {
        let mut of_each = [0; 3];
        for _ in 0..number {
            let queue = tokio::time::timeout(PATIENCE, self.starts.recv()).await.expect("a job starts").unwrap();
            of_each[queue] += 1;
        }
        of_each
    }
}

/// One claim brings what the process has room for, and two may be under way.
const BATCHES: [(usize, usize); 3] = [(1, 4), (16, 64), (200, 800)];

#[tokio::test]
async fn starts_go_by_weight_with_small_and_with_large_batches() {
    for (concurrency, off) in BATCHES {
        for (weights, wanted) in [([1, 1], 2_000), ([3, 1], 3_000)] {
            let weights = [(QUEUES[0], weights[0]), (QUEUES[1], weights[1])];
            let mut world = World::with([5_000, 5_000, 0], concurrency, |engine| engine.queue_weights(weights)).await;
            let [first, second, _] = world.next(4_000).await;
            assert!(first.abs_diff(wanted) <= off, "{weights:?}, {concurrency} at a time: {first} and {second}");
        }
    }
}

#[tokio::test]
async fn what_a_queue_does_not_use_goes_to_the_others() {
    let weights = [("first", 1), ("second", 2), ("third", 1_000)];
    let mut world = World::with([2_000, 2_000, 0], 16, |engine| engine.queue_weights(weights)).await;
    let [first, second, _] = world.next(1_500).await;
    assert!(first.abs_diff(500) <= 64, "{first} and {second}");
    assert_eq!(world.next(2_500).await.iter().sum::<usize>(), 2_500, "everything is done");
}

#[tokio::test]
async fn who_comes_late_to_a_busy_process_is_served_among_the_others() {
    let mut world = World::with([9_000, 0, 0], 8, |engine| engine.queue_weights([("first", 5)])).await;
    world.next(3_000).await;
    world.submit(1, 100).await;
    let [first, second, _] = world.next(1_000).await;
    assert_eq!(second, 100, "beside {first}");
}

#[tokio::test]
async fn without_weights_the_first_queue_goes_first() {
    for (concurrency, _) in BATCHES {
        let mut world = World::with([1_000, 1_000, 1_000], concurrency, |engine| engine).await;
        for queue in 0..3 {
            let of_each = world.next(1_000).await;
            assert_eq!(of_each[queue], 1_000, "{of_each:?}");
        }
    }
}

#[tokio::test]
async fn weights_that_cannot_be_are_refused_at_the_start() {
    for (weights, what, why) in [
        (vec![("first", 0)], "queue_weights", "must be 1 to 1000"),
        (vec![("first", 1_001)], "queue_weights", "must be 1 to 1000"),
        (vec![("fist", 1)], "queue_weights", "name it in both"),
        (vec![("first", 1), ("first", 2)], "queue_weights", "name each once"),
        (vec![("a b", 1)], "queue name", "may"),
    ] {
        let engine = Engine::builder(Arc::new(Memory::new())).queues([QueueName::new("first").unwrap()]);
        let refused = engine.queue_weights(weights.clone()).start().await.err().expect("refused");
        let StartError::Settings(error) = refused else { panic!("{refused}") };
        assert_eq!(error.what(), what, "{weights:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
}
