//! Years of ticks, among processes that are killed and held up between any two calls of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;
use windlass_core::{
    Cadence, Clock, Incarnation, Job, JobId, JobName, ManualClock, Misfire, NewJob, Overlap, Payload, Schedule,
    ScheduleName, Start, Timestamp,
};
use windlass_memory::{Memory, MemoryOptions};
use windlass_store::schedules::{DueSchedules, Kept, Record, Revision, Write};
use windlass_store::{
    Canceled, Claim, Exchange, Exchanged, Hints, Lease, Outcome, Result, Schedules, Scope, Settlement, Store, Swept,
    Verbs,
};

use crate::scheduler::{Passed, pass};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// 1 January 2026, 0 h UTC.
const NEW_YEAR: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// A store whose every call takes its time before and after it is done, so that its caller can be stopped there.
#[derive(Clone)]
struct Slow(Memory);

#[async_trait::async_trait]
impl Store for Slow {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        self.0.exchange(turn).await
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        tokio::task::yield_now().await;
        let job = self.0.get(id, scope).await;
        tokio::task::yield_now().await;
        job
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        tokio::task::yield_now().await;
        let canceled = self.0.cancel(id, scope).await;
        tokio::task::yield_now().await;
        canceled
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.0.sweep(limit).await
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        self.0.held_by(worker).await
    }

    fn hints(&self) -> Hints {
        self.0.hints()
    }

    async fn ping(&self) -> Result<()> {
        self.0.ping().await
    }

    fn name(&self) -> &'static str {
        "slow"
    }

    fn schedules(&self) -> Option<&dyn Schedules> {
        Some(self)
    }
}

#[async_trait::async_trait]
impl Schedules for Slow {
    async fn write_schedule(&self, write: Write) -> Result<Option<Revision>> {
        tokio::task::yield_now().await;
        let written = self.0.write_schedule(write).await;
        tokio::task::yield_now().await;
        written
    }

    async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Kept>> {
        self.0.find_schedule(name).await
    }

    async fn list_schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<Kept>> {
        self.0.list_schedules(after, limit).await
    }

    async fn due_schedules(&self, limit: usize) -> Result<DueSchedules> {
        tokio::task::yield_now().await;
        let due = self.0.due_schedules(limit).await;
        tokio::task::yield_now().await;
        due
    }

    async fn remove_schedule(&self, name: &ScheduleName) -> Result<bool> {
        self.0.remove_schedule(name).await
    }
}

/// What every world has: a store by a clock, and which ticks have run, with how often.
struct World {
    clock: ManualClock,
    store: Slow,
    ran: BTreeMap<(JobName, Timestamp), usize>,
}

fn now<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(future).expect("memory answers at once")
}

impl World {
    /// Whatever has finished is forgotten at once: no id of a job protects a tick from coming twice.
    fn new() -> Self {
        let clock = ManualClock::at(NEW_YEAR);
        let options = MemoryOptions { completed_retention: Duration::ZERO, ..MemoryOptions::default() };
        let store = Slow(Memory::with_options(options, Arc::new(clock.clone())));
        Self { clock, store, ran: BTreeMap::new() }
    }

    fn declare(&self, schedule: &Schedule) {
        let record = Record { schedule: schedule.clone(), cursor: schedule.begin(NEW_YEAR) };
        let write = Write {
            name: schedule.name.clone(),
            expected: None,
            due: record.cursor.wakes(NEW_YEAR),
            record: record.seal().expect("seals"),
            jobs: Vec::new(),
        };
        now(self.store.0.write_schedule(write)).expect("kept").expect("there is none of this name");
    }

    fn pass(&self) -> BoxFuture<'static, Result<Passed>> {
        let store = self.store.clone();
        Box::pin(async move { pass(&store).await })
    }

    /// Deals with everything that is due, without being disturbed.
    fn finish(&self) -> Passed {
        let mut pass = self.pass();
        loop {
            if let Poll::Ready(passed) = poll(&mut pass) {
                return passed.expect("memory does not fail");
            }
        }
    }

    /// Runs and forgets everything that is ready.
    fn work(&mut self) {
        let all = Claim {
            queues: vec![Default::default()],
            limit: usize::MAX,
            lease: HOUR,
            worker: Incarnation::random(),
            suspects: 0,
            handlers: None,
        };
        let claimed = now(self.store.0.claim(all)).expect("claims").jobs;
        let mut settle = Vec::new();
        for job in claimed {
            let Start::At(tick) = job.new.start else { panic!("a tick's job starts at its tick") };
            *self.ran.entry((job.new.name.clone(), tick)).or_default() += 1;
            let outcome = Outcome::Complete(Payload::empty());
            settle.push(Settlement { lease: job.lease, outcome, emitted: Vec::new() });
        }
        now(self.store.0.settle(settle)).expect("settles");
        now(self.store.0.sweep(usize::MAX)).expect("sweeps");
    }
}

fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + Send>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn schedule(name: &str, cadence: Cadence) -> Schedule {
    let job = NewJob::build(name, Payload::empty()).finish(NEW_YEAR).expect("valid");
    let name = ScheduleName::new(name).expect("valid");
    Schedule { misfire: Misfire::All(1_000), ..Schedule::new(name, cadence, job) }
}

/// Two expressions in each of five zones that change their clocks, at different times and by different spans.
fn around_the_world() -> Vec<Schedule> {
    let zones = ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago"];
    let schedules = zones.iter().enumerate().flat_map(|(number, zone)| {
        [("30 2 * * *", "nightly"), ("15 */8 * * *", "repeated")].map(|(expression, what)| {
            schedule(&format!("{what}.{number}"), Cadence::zoned(expression, *zone).expect("valid"))
        })
    });
    schedules.collect()
}

/// Five processes of which two are killed again and again and one is held up for days; the store has forgotten every
/// job that has run by then.
#[test]
fn each_of_ten_thousand_ticks_happens_once_whoever_is_killed_or_held_up() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut world = World::new();
    let schedules = around_the_world();
    schedules.iter().for_each(|schedule| world.declare(schedule));
    let mut processes: Vec<_> = (0..5).map(|_| world.pass()).collect();
    let mut held_up_until = NEW_YEAR;
    let (mut kills, mut pauses) = (0, 0);
    while world.clock.now() < NEW_YEAR.after(740 * DAY) {
        for _ in 0..random.usize(..40) {
            let which = random.usize(..5);
            let moment = world.clock.now();
            if which == 4 && moment < held_up_until {
                continue;
            }
            if which == 4 && random.u8(..20) == 0 {
                (held_up_until, pauses) = (moment.after(DAY * random.u32(1..9)), pauses + 1);
            } else if which < 2 && random.u8(..8) == 0 {
                (processes[which], kills) = (world.pass(), kills + 1);
            } else if let Poll::Ready(passed) = poll(&mut processes[which]) {
                passed.expect("memory does not fail");
                processes[which] = world.pass();
            }
        }
        world.work();
        world.clock.advance(HOUR.mul_f64(random.f64() * 12.0));
    }
    world.finish();
    world.work();
    let end = world.clock.now();
    let ticks = |schedule: &Schedule| {
        let name = schedule.job.name.clone();
        schedule
            .ticks(NEW_YEAR)
            .take_while(|tick| *tick <= end)
            .map(move |tick| (name.clone(), tick))
            .collect::<Vec<_>>()
    };
    let expected: BTreeSet<_> = schedules.iter().flat_map(ticks).collect();
    println!("{} ticks, {kills} processes killed, {pauses} times one held up", expected.len());
    assert!(expected.len() >= 10_000 && kills > 500 && pauses > 20, "{} {kills} {pauses}", expected.len());
    assert_eq!(world.ran.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(world.ran.values().all(|runs| *runs == 1), "a tick happened more than once");
}

/// What the policies do on a store, where a job takes as long as the test says.
fn minutes_apart(overlap: Overlap) -> (World, Schedule) {
    let world = World::new();
    let schedule = Schedule { overlap, ..schedule("slow", Cadence::every(Duration::from_secs(60)).expect("valid")) };
    world.declare(&schedule);
    (world, schedule)
}

impl World {
    fn tick(&self) -> u64 {
        self.clock.advance(Duration::from_secs(60));
        self.finish().submitted
    }
}

#[test]
fn a_tick_that_meets_its_predecessor_does_as_its_schedule_says() {
    let (mut world, _) = minutes_apart(Overlap::Skip);
    assert_eq!([world.tick(), world.tick(), world.tick()], [1, 0, 0]);
    world.work();
    assert_eq!(world.tick(), 1);

    let (world, _) = minutes_apart(Overlap::Allow);
    assert_eq!([world.tick(), world.tick(), world.tick()], [1, 1, 1]);

    let (mut world, _) = minutes_apart(Overlap::BufferOne);
    assert_eq!([world.tick(), world.tick(), world.tick()], [1, 0, 0]);
    world.work();
    let pause = world.finish().pause;
    assert!(pause <= Duration::from_secs(1), "what waits is looked at soon: {pause:?}");
    world.clock.advance(pause);
    assert_eq!(world.finish().submitted, 1, "the one that waited");
    world.work();
    assert!(world.ran.contains_key(&(JobName::new("slow").expect("valid"), NEW_YEAR.after(Duration::from_secs(180)))));
}

#[test]
fn a_tick_can_take_its_predecessors_place() {
    let (mut world, _) = minutes_apart(Overlap::CancelRunning);
    assert_eq!([world.tick(), world.tick(), world.tick()], [1, 1, 1]);
    world.work();
    assert_eq!(world.ran.len(), 1, "the others were canceled before they began");
}

#[test]
fn a_schedule_that_cannot_be_read_holds_nothing_up() {
    let (world, _) = minutes_apart(Overlap::Allow);
    let name = ScheduleName::new("broken").expect("valid");
    let broken = Write { name, expected: None, due: Some(NEW_YEAR), record: vec![9, 9], jobs: Vec::new() };
    now(world.store.0.write_schedule(broken)).expect("kept");
    assert_eq!(world.tick(), 1);
    assert!(world.finish().pause > Duration::from_secs(1), "and nobody runs round in circles over it");
}
