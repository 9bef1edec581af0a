//! Draining gates, of engines that share a store.
#![allow(clippy::unwrap_used, missing_docs)]

mod guarded;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use windlass_core::{JobId, QueueName, Status};
use windlass_dispatch::{Context, Error as HandlerError, FromContext, Handler, Json, Needs, Result, State};
use windlass_engine::{Drained, Engine, EngineBuilder, Error, Submit};
use windlass_memory::Memory;
use windlass_store::{Exchange, Scope, SharedStore};

use crate::guarded::{Guard, Guarded};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// An attempt that has begun, and ends as it is told: whether well.
type Begun = (u32, oneshot::Sender<bool>);

#[derive(Clone)]
struct Desk(mpsc::UnboundedSender<Begun>);

async fn attempt(number: u32, cx: Context) -> Result<()> {
    let State(Desk(begun)) = State::<Desk>::from_context(&cx)?;
    let (end, ended) = oneshot::channel();
    begun.send((number, end)).unwrap();
    match ended.await {
        Ok(true) => Ok(()),
        _ => Err(HandlerError::transient("told to")),
    }
}

macro_rules! handler {
    ($name:ident) => {
        struct $name;

        impl Handler for $name {
            type Input = Json<u32>;
            type Output = ();
            const NAME: &'static str = stringify!($name);

            fn needs(&self, needs: &mut Needs) {
                <State<Desk> as FromContext>::needs(needs);
            }

            async fn run(&self, Json(number): Json<u32>, cx: Context) -> Result<()> {
                attempt(number, cx).await
            }
        }
    };
}

handler!(Work);
handler!(Play);

/// An engine that runs jobs, and one beside it that does not.
struct World {
    works: Engine,
    looks: Engine,
    begun: Mutex<mpsc::UnboundedReceiver<Begun>>,
}

impl World {
    async fn start() -> Self {
        let (begun, receiver) = mpsc::unbounded_channel();
        let store = Memory::new();
        let builder = || -> EngineBuilder {
            let engine =
                Engine::builder(Arc::new(store.clone())).handler(Work).handler(Play).state(Desk(begun.clone()));
            engine.queues(["default", "other"].map(|queue| QueueName::new(queue).unwrap()))
        };
        let works = builder().configure(|settings| settings.max_concurrency = 64).start().await.unwrap();
        let looks = builder().configure(|settings| settings.work = false).start().await.unwrap();
        Self { works, looks, begun: Mutex::new(receiver) }
    }

    async fn begun(&self, number: u32) -> oneshot::Sender<bool> {
        let (begun, end) = self.begun.lock().await.recv().await.unwrap();
        assert_eq!(begun, number);
        end
    }

    /// Job 1, at the gates `queue:default`, `handler:Work`, `key:user:ann` and those above, and job 2 at none of them.
    async fn two(&self) -> [(JobId, oneshot::Sender<bool>); 2] {
        let one = Work.submit(&self.works, 1).key("user", "ann").await.unwrap().id;
        let one = (one, self.begun(1).await);
        let other = Play.submit(&self.works, 2).queue("other").key("tenant", "acme").await.unwrap().id;
        [one, (other, self.begun(2).await)]
    }

    /// Begins to drain in one of the engines, and goes on when that waits.
    async fn drain(&self, engine: &Engine, gate: &'static str) -> JoinHandle<Drained> {
        let gates = engine.gates();
        let drain = tokio::spawn(async move { gates.drain(gate, "a new schema", MINUTE).await.unwrap() });
        while self.works.gates().get(gate).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(5 * SECOND).await;
        drain
    }
}

const GATES: [&str; 4] = ["queue:default", "handler:Work", "key:user:ann", "keys:user"];

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_runs_and_for_nothing_else() {
    for gate in GATES {
        let world = World::start().await;
        let [(_, end), (_, _other)] = world.two().await;
        for engine in [&world.works, &world.looks] {
            let drain = world.drain(engine, gate).await;
            assert!(!drain.is_finished(), "{gate}");
            drain.abort();
        }
        let (here, elsewhere) = (world.drain(&world.works, gate).await, world.drain(&world.looks, gate).await);
        let ended = tokio::time::Instant::now();
        end.send(true).unwrap();
        assert_eq!((here.await.unwrap(), ended.elapsed()), (Drained::Empty, Duration::ZERO), "{gate}: by a signal");
        assert_eq!(elsewhere.await.unwrap(), Drained::Empty, "{gate}");
        assert!(ended.elapsed() <= SECOND, "{gate}: by a look after {:?}", ended.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn everything_is_drained_when_nothing_runs_at_all() {
    let world = World::start().await;
    let [(_, first), (_, second)] = world.two().await;
    let drain = world.drain(&world.looks, "*").await;
    second.send(true).unwrap();
    tokio::time::sleep(5 * SECOND).await;
    assert!(!drain.is_finished());
    first.send(true).unwrap();
    assert_eq!(drain.await.unwrap(), Drained::Empty);
    let again = world.looks.gates().drain("*", "still", Duration::ZERO).await.unwrap();
    assert_eq!(again, Drained::Empty, "at once");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_its_time_and_names_the_oldest_that_runs() {
    let world = World::start().await;
    let mut all = Vec::new();
    for number in 0..20 {
        let id = Work.submit(&world.works, number).await.unwrap().id;
        all.push((id, world.begun(number).await));
    }
    let (oldest, rest) = (all.remove(12), all);
    rest.into_iter().for_each(|(_, end)| end.send(true).unwrap());
    let began = tokio::time::Instant::now();
    let drained = world.looks.gates().drain("handler:Work", "late", MINUTE).await.unwrap();
    assert_eq!((drained, began.elapsed().as_secs()), (Drained::StillRunning(oldest.0), 60));
    let at_once = world.looks.gates().drain("handler:Work", "late", Duration::ZERO).await.unwrap();
    assert_eq!((at_once, began.elapsed().as_secs()), (Drained::StillRunning(oldest.0), 60));
    assert!(world.looks.gates().get("handler:Work").await.unwrap().unwrap().rule.paused.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_to_be_repeated_has_ended_too() {
    let world = World::start().await;
    let [(job, end), _other] = world.two().await;
    let drain = world.drain(&world.works, "queue:default").await;
    end.send(false).unwrap();
    assert_eq!(drain.await.unwrap(), Drained::Empty);
    let waits = world.works.get(job, &Scope::Everything).await.unwrap().unwrap();
    assert_eq!(waits.status, Status::Scheduled);
}

#[tokio::test(start_paused = true)]
async fn what_is_drained_is_paused_with_the_last_note_until_it_is_resumed() {
    let world = World::start().await;
    let gates = world.works.gates();
    gates.pause("queue:default", "lunch").await.unwrap();
    assert_eq!(gates.drain("queue:default", "a new schema", MINUTE).await.unwrap(), Drained::Empty);
    let note = gates.get("queue:default").await.unwrap().unwrap().rule.paused;
    assert_eq!(note.as_deref(), Some("a new schema"));
    let job = Work.submit(&world.works, 3).await.unwrap();
    let waits = world.works.wait(job.id, &Scope::Everything, MINUTE).await.unwrap().unwrap();
    assert_eq!(waits.status, Status::Queued, "it waits for a minute");
    gates.resume("queue:default").await.unwrap();
    world.begun(3).await.send(true).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_its_process() {
    let world = World::start().await;
    let _two = world.two().await;
    let gates = world.looks.gates();
    let drain = tokio::spawn(async move { gates.drain("*", "why", MINUTE).await });
    while world.works.gates().get("*").await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    world.looks.shutdown().await;
    assert!(matches!(drain.await.unwrap(), Err(Error::ShuttingDown)));
    assert!(world.works.gates().get("*").await.unwrap().is_some(), "paused all the same");
}

struct Open;

#[async_trait]
impl Guard for Open {
    async fn pass(&self, _turn: &Exchange) -> windlass_store::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_cannot_be_drained_is_not_paused() {
    let without_lists: SharedStore = Arc::new(Guarded::new(Open));
    let engine = Engine::builder(without_lists).start().await.unwrap();
    let refused = engine.gates().drain("*", "why", MINUTE).await;
    assert!(matches!(refused, Err(Error::Unsupported { what: "lists of jobs" })));
    for gate in ["", "mail", "queue:a b", "turn:user:ann"] {
        let refused = engine.gates().drain(gate, "why", MINUTE).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{gate}");
    }
    assert_eq!(engine.gates().list(None).await.unwrap(), []);
}
