//! Breakers of handlers, in engines that share a store. Tokio's time is paused and the store's moves by hand.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use windlass_core::gate::{Edit, Rule};
use windlass_core::{
    Clock, ErrorClass, Gate, Incarnation, Job, JobError, JobId, Limits, ManualClock, NewJob, Payload, Rate,
    RetryPolicy, Status, Timestamp,
};
use windlass_dispatch::{Context, Error as HandlerError, FromContext, Handler, Json, Needs, Result, State};
use windlass_engine::{Breaker, Engine, EngineBuilder, OpenBreaker, StartError};
use windlass_memory::Memory;
use windlass_store::{
    Canceled, ErrorKind, Exchange, Exchanged, Filter, Gates, Hints, Lease, Query, Ruled, Scope, SharedStore, Store,
    Swept, Verbs,
};

const EVERYTHING: Scope = Scope::Everything;
const SECOND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(10);
const GATE: &str = "handler:Call";
/// Attempts at the same time, in each engine.
const SLOTS: usize = 4;

/// How the upstream answers.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Well,
    Down,
    Refusal,
    Panic,
}

#[derive(Clone)]
struct Upstream {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicU32>,
    running: Arc<AtomicUsize>,
    /// Requests that may be answered.
    may_end: Arc<Semaphore>,
}

struct Call;

impl Handler for Call {
    type Input = Json<u32>;
    type Output = ();
    const NAME: &'static str = "Call";

    fn needs(&self, needs: &mut Needs) {
        <State<Upstream> as FromContext>::needs(needs);
    }

    async fn run(&self, _: Json<u32>, cx: Context) -> Result<()> {
        let State(upstream) = State::<Upstream>::from_context(&cx)?;
        upstream.asked.fetch_add(1, Ordering::SeqCst);
        upstream.running.fetch_add(1, Ordering::SeqCst);
        let may_end = tokio::select! {
            permit = upstream.may_end.acquire() => permit,
            _ = cx.stopped() => {
                upstream.running.fetch_sub(1, Ordering::SeqCst);
                return Err(HandlerError::transient("stopped"));
            }
        };
        may_end.unwrap().forget();
        upstream.running.fetch_sub(1, Ordering::SeqCst);
        let answer = *upstream.answer.lock().unwrap();
        match answer {
            Answer::Well => Ok(()),
            Answer::Down => Err(HandlerError::transient("the upstream is down")),
            Answer::Refusal => Err(HandlerError::new(ErrorClass::Permanent, JobError::new("NO", "of its own"))),
            Answer::Panic => panic!("the upstream makes no sense"),
        }
    }
}

impl Upstream {
    fn answering(answer: Answer) -> Self {
        let (asked, running) = Default::default();
        Self { answer: Arc::new(Mutex::new(answer)), asked, running, may_end: Arc::new(Semaphore::new(100_000)) }
    }

    fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Keeps requests waiting from now on.
    fn hang(&self) {
        self.may_end.forget_permits(usize::MAX);
    }

    fn let_go(&self) {
        self.may_end.add_permits(100_000);
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

/// Ten attempts are enough.
fn breaker() -> Breaker {
    Breaker { min_attempts: 10, pause: PAUSE, ..Breaker::default() }
}

struct World {
    store: Memory,
    clock: ManualClock,
    upstream: Upstream,
}

fn world(answer: Answer) -> World {
    let clock = ManualClock::at(Timestamp::from_millis(1_795_348_800_000));
    World { store: Memory::with_clock(Arc::new(clock.clone())), clock, upstream: Upstream::answering(answer) }
}

impl World {
    fn builder(&self) -> EngineBuilder {
        self.builder_on(Arc::new(self.store.clone()))
    }

    fn builder_on(&self, store: SharedStore) -> EngineBuilder {
        let builder = Engine::builder(store).handler(Call).state(self.upstream.clone());
        builder.configure(|settings| {
            settings.max_concurrency = SLOTS;
            // The store's clock runs ahead of that of the heart.
            settings.lease = Duration::from_secs(24 * 3_600);
        })
    }

    async fn start(&self) -> Engine {
        self.builder().breaker("Call", breaker()).start().await.unwrap()
    }

    /// Jobs whose retries come after all of this is over.
    async fn submit(&self, count: u32) -> Vec<JobId> {
        let later = Duration::from_secs(365 * 24 * 3_600);
        let retry = RetryPolicy { max_retries: 3, base: later, cap: later, max_crashes: 3 };
        let job = |number| {
            let draft = NewJob::build("Call", Payload::json(&number).unwrap()).retry(retry);
            draft.finish(self.clock.now()).unwrap()
        };
        let answers = self.store.submit((0..count).map(job).collect()).await.unwrap();
        answers.iter().map(|answer| answer.id).collect()
    }

    /// Until `is_so`; what can happen without the store's clock happens.
    async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        for _ in 0..10_000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}");
    }

    /// Everything that can happen now has happened: engines have looked for work and at breakers.
    async fn settle(&self) {
        tokio::time::sleep(5 * SECOND).await;
    }

    /// All that is open here.
    fn open(&self, engine: &Engine) -> Vec<OpenBreaker> {
        engine.health().open_breakers
    }

    /// For how many seconds more, but for what the engine's own clock adds.
    fn open_for(&self, engine: &Engine) -> Option<u64> {
        let until = self.open(engine).first().and_then(|open| open.until);
        until.map(|until| self.clock.now().until(until).as_secs_f64().round() as u64)
    }

    async fn total(&self, status: Status) -> u64 {
        self.store.query().unwrap().counts().await.unwrap().total(status)
    }

    async fn rule(&self, engine: &Engine) -> Option<Rule> {
        engine.gates().get(GATE).await.unwrap().map(|ruled| ruled.rule)
    }

    async fn job(&self, id: JobId) -> Job {
        self.store.get(id, &EVERYTHING).await.unwrap().unwrap()
    }

    /// Until the breaker opens. How many attempts that took.
    async fn fail_until_open(&self, engine: &Engine, jobs: u32) -> u32 {
        let before = self.upstream.asked();
        self.submit(jobs).await;
        self.until("open", || !self.open(engine).is_empty()).await;
        self.settle().await;
        self.upstream.asked() - before
    }
}

#[tokio::test(start_paused = true)]
async fn it_opens_and_nothing_starts_or_is_spent_while_it_is_open() {
    let world = world(Answer::Down);
    let engine = world.start().await;
    let asked = world.fail_until_open(&engine, 50).await;
    assert!((10..10 + SLOTS as u32).contains(&asked), "{asked}");
    assert_eq!(world.open_for(&engine), Some(PAUSE.as_secs()));
    let health = serde_json::to_value(engine.health()).unwrap();
    assert_eq!(health["open_breakers"][0]["handler"], "Call");
    assert!(health["open_breakers"][0]["until"].as_str().is_some_and(|until| until.starts_with("20")), "{health}");
    assert!(engine.health().ready, "it is not this process's fault");
    let late = world.submit(1).await[0];
    world.clock.advance(PAUSE - SECOND);
    world.settle().await;
    assert_eq!(world.upstream.asked(), asked);
    let waiting = world.job(late).await;
    assert_eq!((waiting.status, waiting.attempts.len()), (Status::Queued, 0));
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn after_the_pause_a_few_probe_and_close_it() {
    let world = world(Answer::Down);
    let engine = world.start().await;
    let asked = world.fail_until_open(&engine, 50).await;
    world.upstream.answer(Answer::Well);
    world.upstream.hang();
    world.clock.advance(PAUSE + SECOND);
    world.until("probes", || world.upstream.running() == 3).await;
    // Long after the pause that follows the probes.
    for _ in 0..9 {
        world.clock.advance(PAUSE + SECOND);
        world.settle().await;
    }
    assert_eq!(world.upstream.running(), 3);
    world.clock.advance(2 * SECOND);
    world.settle().await;
    let put_off = world.total(Status::Scheduled).await - u64::from(asked);
    assert_eq!(put_off, 0, "nobody claims them again and again: they wait at the gate");
    assert_eq!(world.open(&engine), [OpenBreaker { handler: "Call".parse().unwrap(), until: None }]);
    world.upstream.let_go();
    world.until("closed", || world.open(&engine).is_empty()).await;
    world.clock.advance(SECOND);
    world.until("done", || world.upstream.asked() == 50).await;
    world.settle().await;
    assert_eq!(world.total(Status::Completed).await, u64::from(50 - asked));
    assert_eq!(world.rule(&engine).await, None, "nothing is left at the gate");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn one_probe_that_fails_opens_it_for_twice_as_long() {
    let world = world(Answer::Down);
    let engine = world.start().await;
    let mut asked = world.fail_until_open(&engine, 50).await;
    for pause in [10, 21, 43, 87] {
        assert_eq!(world.open_for(&engine), Some(pause), "as long as before, and the second that nobody came");
        world.clock.advance(SECOND * (pause as u32 + 1));
        world.until("open again", || world.open_for(&engine).is_some_and(|left| left > pause)).await;
        world.settle().await;
        let probes = world.upstream.asked() - asked;
        assert!((1..=3).contains(&probes), "{probes}");
        asked = world.upstream.asked();
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn it_holds_in_all_engines_of_a_store_and_closes_in_all() {
    let world = world(Answer::Down);
    let first = world.start().await;
    world.fail_until_open(&first, 10).await;
    let second = world.start().await;
    let third = world.builder().start().await.unwrap();
    assert_eq!(world.open(&second), [OpenBreaker { handler: "Call".parse().unwrap(), until: None }], "as it hears");
    let asked = world.upstream.asked();
    world.submit(30).await;
    world.settle().await;
    assert_eq!(world.upstream.asked(), asked, "not even where no breaker is set");
    third.shutdown().await;
    world.upstream.answer(Answer::Well);
    world.upstream.hang();
    world.clock.advance(PAUSE + SECOND);
    world.until("probes", || world.upstream.running() >= 3).await;
    world.settle().await;
    assert!(world.upstream.running() <= 6, "a few in each");
    world.upstream.let_go();
    world.until("closed here", || world.open(&first).is_empty()).await;
    world.until("closed there", || world.open(&second).is_empty()).await;
    world.clock.advance(SECOND);
    world.until("done", || world.upstream.asked() == asked + 30).await;
    first.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_hears_of_a_breaker_that_is_opened_while_it_runs() {
    let world = world(Answer::Down);
    let idle = world.builder().breaker("Call", breaker()).configure(|settings| settings.work = false);
    let idle = idle.start().await.unwrap();
    let busy = world.start().await;
    assert_eq!(world.open(&idle), []);
    world.fail_until_open(&busy, 10).await;
    world.until("heard", || !world.open(&idle).is_empty()).await;
    idle.shutdown().await;
    busy.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn who_dies_with_an_open_breaker_leaves_nothing_closed() {
    for heir_has_one in [true, false] {
        let world = Arc::new(world(Answer::Down));
        let victim = world.clone();
        let killed = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            let engine = runtime.block_on(async {
                let engine = victim.start().await;
                victim.fail_until_open(&engine, 10).await;
                engine
            });
            // All of its tasks end where they are.
            drop(runtime);
            drop(engine);
        });
        killed.join().unwrap();
        world.upstream.answer(Answer::Well);
        let asked = world.upstream.asked();
        world.submit(60).await;
        let heir = match heir_has_one {
            true => world.start().await,
            false => world.builder().start().await.unwrap(),
        };
        world.settle().await;
        assert_eq!(world.upstream.asked(), asked, "the pause holds");
        world.clock.advance(PAUSE + SECOND);
        world.until("probed", || world.upstream.asked() >= asked + 3).await;
        world.settle().await;
        world.clock.advance(SECOND);
        world.until("done", || world.upstream.asked() == asked + 60).await;
        if heir_has_one {
            assert_eq!(world.rule(&heir).await, None, "nothing is left");
        }
        heir.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_has_set_stays() {
    let set = [
        Limits::default(),
        Limits::running(7),
        Limits::rate(Rate::per_second(1_000).unwrap()),
        Limits::running(7).with_rate(Rate::per_second(1_000).unwrap()),
    ];
    for limits in set {
        let world = world(Answer::Down);
        let engine = world.start().await;
        let gates = engine.gates();
        gates.limit(GATE, limits).await.unwrap();
        world.fail_until_open(&engine, 30).await;
        let asked = world.upstream.asked();
        assert!(asked < 30, "{limits:?}");
        gates.pause(GATE, "mine").await.unwrap();
        world.upstream.answer(Answer::Well);
        world.clock.advance(2 * PAUSE);
        world.settle().await;
        assert_eq!(world.upstream.asked(), asked, "the pause of an operator outlives that of the breaker");
        assert_eq!(world.rule(&engine).await.unwrap().paused.as_deref(), Some("mine"));
        gates.resume(GATE).await.unwrap();
        world.until("closed", || world.open(&engine).is_empty()).await;
        for _ in 0..30 {
            world.clock.advance(SECOND);
            world.settle().await;
        }
        assert_eq!(world.upstream.asked(), 30, "{limits:?}");
        assert_eq!(world.rule(&engine).await.unwrap_or_default(), Rule { limits, ..Rule::default() }, "{limits:?}");
        engine.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_with_limits_of_its_own_leaves_it_open() {
    let world = world(Answer::Down);
    let first = world.start().await;
    world.fail_until_open(&first, 10).await;
    let asked = world.upstream.asked();
    let builder = world.builder().breaker("Call", breaker()).limit(GATE, Limits::running(2));
    let second = builder.start().await.unwrap();
    let rule = world.rule(&second).await.unwrap();
    assert!(rule.limits.running == Some(2) && rule.limits.rate.is_some(), "{rule:?}");
    world.submit(10).await;
    world.settle().await;
    assert_eq!(world.upstream.asked(), asked);
    world.upstream.answer(Answer::Well);
    world.clock.advance(PAUSE + SECOND);
    world.until("closed", || world.open(&first).is_empty() && world.open(&second).is_empty()).await;
    world.settle().await;
    assert_eq!(world.rule(&second).await.unwrap().limits, Limits::running(2));
    first.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn probes_that_are_canceled_are_made_again() {
    let world = world(Answer::Down);
    let engine = world.start().await;
    world.fail_until_open(&engine, 50).await;
    world.upstream.answer(Answer::Well);
    world.upstream.hang();
    let mut pause = PAUSE;
    for _ in 0..3 {
        let before = world.upstream.asked();
        world.clock.advance(pause + SECOND);
        world.until("probes", || world.upstream.running() == 3).await;
        assert_eq!(world.upstream.asked(), before + 3);
        let filter = Filter { status: Some(Status::InProgress), limit: 100, ..Filter::default() };
        let probes = world.store.query().unwrap().list(&filter).await.unwrap().jobs;
        assert_eq!(probes.len(), 3);
        for job in probes {
            engine.cancel(job.new.id, &EVERYTHING).await.unwrap();
        }
        world.until("stopped", || world.upstream.running() == 0).await;
        pause = PAUSE;
    }
    world.upstream.let_go();
    world.clock.advance(pause + SECOND);
    world.until("closed", || world.open(&engine).is_empty()).await;
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn permanent_errors_open_nothing_and_panics_do() {
    let world = world(Answer::Refusal);
    let engine = world.start().await;
    world.submit(40).await;
    world.until("asked", || world.upstream.asked() == 40).await;
    world.settle().await;
    assert_eq!(world.open(&engine), []);
    world.upstream.answer(Answer::Panic);
    world.fail_until_open(&engine, 40).await;
    engine.shutdown().await;
}

/// A store that keeps no rules, or refuses so many changes of them.
struct Unruly(Memory, Option<AtomicU32>);

#[async_trait]
impl Gates for Unruly {
    async fn edit_gate(&self, gate: &Gate, edit: Edit) -> windlass_store::Result<()> {
        let refusals = self.1.as_ref().unwrap();
        let spent = refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match spent {
            Ok(_) => Err(windlass_store::Error::new(ErrorKind::Unavailable, "not now")),
            Err(_) => self.0.edit_gate(gate, edit).await,
        }
    }
    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> windlass_store::Result<Vec<Ruled>> {
        self.0.list_gates(after, limit).await
    }
}

#[async_trait]
impl Store for Unruly {
    async fn exchange(&self, turn: Exchange) -> windlass_store::Result<Exchanged> {
        self.0.exchange(turn).await
    }
    async fn get(&self, id: JobId, scope: &Scope) -> windlass_store::Result<Option<Job>> {
        self.0.get(id, scope).await
    }
    async fn cancel(&self, id: JobId, scope: &Scope) -> windlass_store::Result<Option<Canceled>> {
        self.0.cancel(id, scope).await
    }
    async fn sweep(&self, limit: usize) -> windlass_store::Result<Swept> {
        self.0.sweep(limit).await
    }
    async fn held_by(&self, worker: Incarnation) -> windlass_store::Result<Vec<Lease>> {
        self.0.held_by(worker).await
    }
    async fn ping(&self) -> windlass_store::Result<()> {
        self.0.ping().await
    }
    fn hints(&self) -> Hints {
        self.0.hints()
    }
    fn name(&self) -> &'static str {
        "unruly"
    }
    fn gates(&self) -> Option<&dyn Gates> {
        self.1.as_ref().map(|_| self as &dyn Gates)
    }
    fn query(&self) -> Option<&dyn Query> {
        self.0.query()
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_rules_are_kept_jobs_are_put_off_in_its_own_process() {
    let world = world(Answer::Down);
    let builder = world.builder_on(Arc::new(Unruly(world.store.clone(), None)));
    let engine = builder.breaker("Call", breaker()).start().await.unwrap();
    let asked = world.fail_until_open(&engine, 30).await;
    assert!(asked < 10 + SLOTS as u32, "{asked}");
    world.upstream.answer(Answer::Well);
    for _ in 0..20 {
        world.clock.advance(PAUSE);
        world.settle().await;
    }
    assert_eq!((world.open(&engine), world.upstream.asked()), (Vec::new(), 30));
    assert_eq!(world.total(Status::Completed).await, u64::from(30 - asked), "no attempt was spent");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_store_did_not_take_it_is_told_again() {
    let world = world(Answer::Down);
    let store = Arc::new(Unruly(world.store.clone(), Some(AtomicU32::new(3))));
    let engine = world.builder_on(store.clone()).breaker("Call", breaker()).start().await.unwrap();
    world.fail_until_open(&engine, 10).await;
    let other = world.start().await;
    world.until("heard", || !world.open(&other).is_empty()).await;
    other.shutdown().await;
    world.upstream.answer(Answer::Well);
    world.submit(10).await;
    world.clock.advance(2 * PAUSE);
    // The first of these holds the gate behind the probes.
    store.1.as_ref().unwrap().store(3, Ordering::SeqCst);
    world.until("closed", || world.open(&engine).is_empty()).await;
    world.settle().await;
    assert_eq!(world.rule(&engine).await, None);
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_setting_is_for_all_handlers_but_those_that_say_otherwise() {
    for (own, opens) in [(None, true), (Some(None), false), (Some(Some(breaker())), true)] {
        let world = world(Answer::Down);
        let builder = world.builder().configure(|settings| settings.breaker_failure_rate = Some(0.9));
        let builder = own.into_iter().fold(builder, |builder, own: Option<Breaker>| builder.breaker("Call", own));
        let engine = builder.start().await.unwrap();
        world.submit(60).await;
        world.until("asked", || world.upstream.asked() >= 10).await;
        world.settle().await;
        assert_eq!(world.upstream.asked() < 60, opens);
        engine.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_work_is_told_at_once() {
    let world = world(Answer::Well);
    let wrong = Breaker { probes: 0, ..Breaker::default() };
    let error = world.builder().breaker("Call", wrong).start().await.err().unwrap();
    assert!(matches!(&error, StartError::Breaker { handler, .. } if handler == "Call"), "{error}");
    assert!(error.to_string().contains("probes must be 1 or more"), "{error}");
    let error = world.builder().breaker("Cal", Breaker::default()).start().await.err().unwrap();
    assert!(error.to_string().starts_with("breaker of Cal: "), "{error}");
    let error = world.builder().configure(|settings| settings.breaker_failure_rate = Some(1.5)).start().await.err();
    assert!(matches!(error, Some(StartError::Settings(error)) if error.what() == "breaker_failure_rate"));
}
