//! Rules by the hands of programs and operators, at work in engines that share a store.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use windlass_core::{InvalidInput, Limits, ManualClock, Rate, Share, Status, Timestamp};
use windlass_dispatch::{Context, Error as HandlerError, FromContext, Handler, Json, Needs, Result, State};
use windlass_engine::{Engine, Error, StartError, Submit};
use windlass_memory::Memory;
use windlass_store::Scope;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a run is told and tells.
#[derive(Clone)]
struct Desk {
    begun: mpsc::UnboundedSender<u32>,
    may_end: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// Numbers that are refused for so long, once each.
    refused: Arc<Mutex<Vec<(u32, Duration)>>>,
}

struct Work;

impl Handler for Work {
    type Input = Json<u32>;
    type Output = ();
    const NAME: &'static str = "Work";

    fn needs(&self, needs: &mut Needs) {
        <State<Desk> as FromContext>::needs(needs);
    }

    async fn run(&self, Json(number): Json<u32>, cx: Context) -> Result<()> {
        let State(desk) = State::<Desk>::from_context(&cx)?;
        let running = desk.running.fetch_add(1, Ordering::SeqCst) + 1;
        desk.most.fetch_max(running, Ordering::SeqCst);
        desk.begun.send(number).unwrap();
        desk.may_end.acquire().await.unwrap().forget();
        desk.running.fetch_sub(1, Ordering::SeqCst);
        let refused = desk.refused.lock().unwrap().iter().position(|(refused, _)| *refused == number);
        match refused.map(|place| desk.refused.lock().unwrap().remove(place)) {
            Some((_, span)) => Err(HandlerError::rate_limited(span)),
            None => Ok(()),
        }
    }
}

struct World {
    engines: Vec<Engine>,
    clock: ManualClock,
    desk: Desk,
    begun: mpsc::UnboundedReceiver<u32>,
}

impl World {
    /// So many engines over one store, with limits.
    async fn start(engines: usize, limits: &[(&str, Limits)]) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_795_348_800_000));
        let store = Memory::with_clock(Arc::new(clock.clone()));
        let (begun, receiver) = mpsc::unbounded_channel();
        let (may_end, refused) = (Arc::new(Semaphore::new(0)), Arc::default());
        let desk = Desk { begun, may_end, running: Arc::default(), most: Arc::default(), refused };
        let mut all = Vec::new();
        for _ in 0..engines {
            let builder = Engine::builder(Arc::new(store.clone())).handler(Work).state(desk.clone());
            let builder = limits.iter().fold(builder, |builder, (gate, limits)| builder.limit(gate, *limits));
            all.push(builder.start().await.unwrap());
        }
        Self { engines: all, clock, desk, begun: receiver }
    }

    fn engine(&self) -> &Engine {
        &self.engines[0]
    }

    async fn begun(&mut self) -> u32 {
        tokio::time::timeout(PATIENCE, self.begun.recv()).await.expect("a job begins").unwrap()
    }

    fn end(&self, many: usize) {
        self.desk.may_end.add_permits(many);
    }

    /// Whatever could begin has: the store was asked twice by each engine since.
    async fn settle(&self) {
        for engine in &self.engines {
            for _ in 0..2 {
                let job = Work.submit(engine, 0).queue("elsewhere").await.unwrap();
                engine.get(job.id, &Scope::Everything).await.unwrap().unwrap();
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_paused_waits_until_it_is_resumed() {
    let mut world = World::start(2, &[]).await;
    let gates = world.engine().gates();
    for gate in ["*", "queue:default", "handler:Work", "key:user:ann", "keys:user"] {
        gates.pause(gate, "the upstream is down").await.unwrap();
        let job = Work.submit(world.engine(), 7).key("user", "ann").await.unwrap();
        world.settle().await;
        assert!(world.begun.try_recv().is_err(), "{gate}");
        let kept = world.engine().get(job.id, &Scope::Everything).await.unwrap().unwrap();
        assert_eq!(kept.status, Status::Queued);
        assert_eq!(gates.get(gate).await.unwrap().unwrap().rule.paused.as_deref(), Some("the upstream is down"));
        gates.resume(gate).await.unwrap();
        assert_eq!(world.begun().await, 7, "{gate}");
        world.end(1);
        let ended = world.engine().wait(job.id, &Scope::Everything, PATIENCE).await.unwrap().unwrap();
        assert_eq!(ended.status, Status::Completed);
    }
    assert_eq!(gates.list(None).await.unwrap(), []);
}

#[tokio::test]
async fn a_limit_holds_for_all_engines_together_and_may_change() {
    let mut world = World::start(3, &[("handler:Work", Limits::running(2))]).await;
    for number in 0..12 {
        let _ = Work.submit(&world.engines[number % 3], number as u32).await.unwrap();
    }
    world.begun().await;
    world.begun().await;
    world.settle().await;
    assert!(world.begun.try_recv().is_err(), "two run");
    world.end(6);
    for _ in 0..6 {
        world.begun().await;
    }
    assert_eq!(world.desk.most.load(Ordering::SeqCst), 2);
    world.engine().gates().limit("handler:Work", Limits::running(4)).await.unwrap();
    world.begun().await;
    world.begun().await;
    assert_eq!(world.desk.running.load(Ordering::SeqCst), 4);
    world.end(12);
    for _ in 0..2 {
        world.begun().await;
    }
}

#[tokio::test]
async fn jobs_of_a_key_go_one_after_the_other_in_their_order() {
    let mut world = World::start(2, &[("keys:user", Limits::in_order())]).await;
    for number in 0..6 {
        let _ = Work.submit(&world.engines[0], number).key("user", "ann").await.unwrap();
    }
    world.end(6);
    for number in 0..6 {
        assert_eq!(world.begun().await, number);
    }
    assert_eq!(world.desk.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_is_told_to_come_back_later_slows_down_others() {
    let rate = Limits::rate(Rate::per_second(1_000).unwrap());
    let mut world = World::start(2, &[("handler:Work", rate)]).await;
    world.desk.refused.lock().unwrap().push((1, Duration::from_secs(60)));
    let _ = Work.submit(world.engine(), 1).await.unwrap();
    assert_eq!(world.begun().await, 1);
    world.end(1);
    // The hold is written before the attempt is settled.
    let is_held = async {
        loop {
            let page = world.engine().gates().list(None).await.unwrap();
            let idle = page[0].taken == 0 && world.desk.running.load(Ordering::SeqCst) == 0;
            if idle && world.desk.refused.lock().unwrap().is_empty() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_held).await.expect("the refusal arrives");
    let waiting = Work.submit(world.engine(), 2).await.unwrap();
    world.settle().await;
    assert!(world.begun.try_recv().is_err(), "the other waits too");
    world.clock.advance(Duration::from_secs(61));
    world.settle().await;
    world.engine().gates().resume("*").await.unwrap();
    let both = [world.begun().await, world.begun().await];
    assert!(both.contains(&1) && both.contains(&2));
    world.end(2);
    world.engine().wait(waiting.id, &Scope::Everything, PATIENCE).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_engine_stops_though_jobs_wait_at_gates() {
    let world = World::start(1, &[("queue:default", Limits::running(0))]).await;
    let _ = Work.submit(world.engine(), 1).await.unwrap();
    world.settle().await;
    tokio::time::timeout(PATIENCE, world.engine().shutdown()).await.expect("nothing to wait for");
}

#[tokio::test]
async fn what_is_no_gate_is_told_at_once() {
    let store = Arc::new(Memory::new());
    let started = Engine::builder(store.clone()).limit("mail", Limits::running(1)).start().await;
    assert!(matches!(started, Err(StartError::Settings(error)) if error.what() == "gate"));
    let engine = Engine::builder(store).start().await.unwrap();
    let refused = engine.gates().pause("queue:a b", "").await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(error) if error.what() == "queue name"), "with the reason");
    let job = Work.submit(&engine, 1).key("te:nant", "acme").await;
    assert!(matches!(job, Err(Error::Invalid(InvalidInput { .. }))));
}

#[tokio::test]
async fn keys_take_turns_in_a_shared_queue() {
    let mut world = World::start(1, &[]).await;
    let gates = world.engine().gates();
    gates.share("queue:default", Share::by("user").unwrap()).await.unwrap();
    gates.limit("queue:default", Limits::running(1)).await.unwrap();
    gates.pause("*", "until all are here").await.unwrap();
    for number in 0..20 {
        let _ = Work.submit(world.engine(), number).key("user", "ann").await.unwrap();
    }
    let _ = Work.submit(world.engine(), 99).key("user", "bob").await.unwrap();
    world.settle().await;
    gates.resume("*").await.unwrap();
    world.end(21);
    let order: Vec<u32> = [world.begun().await, world.begun().await].to_vec();
    assert!(order.contains(&99) && order.contains(&0), "{order:?}");
    for _ in 0..19 {
        world.begun().await;
    }
}

#[tokio::test]
async fn shares_that_mean_nothing_are_refused() {
    let world = World::start(1, &[]).await;
    let gates = world.engine().gates();
    let (by, weight) = (Share::by("user").unwrap(), Share::weight(2).unwrap());
    for (gate, share) in [("*", &by), ("keys:user", &by), ("queue:default", &weight), ("turn:user:ann", &weight)] {
        let refused = gates.share(gate, share.clone()).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "{gate}: {refused}");
    }
    assert!(gates.pause("turn:user:ann", "why").await.is_err());
    let at_start = Engine::builder(Arc::new(Memory::new())).share("handler:Work", weight).start().await;
    assert!(matches!(at_start, Err(StartError::Settings(_))));
}
