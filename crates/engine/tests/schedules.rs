//! Schedules by the hands of programs and operators. Time is the test's: it moves, and a declaration makes the engine look.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use windlass_core::{Clock, ManualClock, Misfire, Owner, Priority, ScheduleName, Timestamp};
use windlass_dispatch::{Context, FromContext, Handler, Json, Needs, Result, State};
use windlass_engine::{Engine, Error, Recur, Recurring, StartError};
use windlass_memory::Memory;
use windlass_store::Scope;
use windlass_store::schedules::Write;

const MINUTE: Duration = Duration::from_secs(60);
const EVERYTHING: Scope = Scope::Everything;

/// Tells the test what it was given.
struct Report;

type Reports = mpsc::UnboundedSender<u32>;

impl Handler for Report {
    type Input = Json<u32>;
    type Output = ();
    const NAME: &'static str = "Report";

    fn needs(&self, needs: &mut Needs) {
        <State<Reports> as FromContext>::needs(needs);
    }

    async fn run(&self, Json(number): Json<u32>, cx: Context) -> Result<()> {
        let State(reports) = State::<Reports>::from_context(&cx)?;
        reports.send(number).unwrap();
        Ok(())
    }
}

struct World {
    engine: Engine,
    clock: ManualClock,
    reports: mpsc::UnboundedReceiver<u32>,
}

fn name(name: &str) -> ScheduleName {
    ScheduleName::new(name).unwrap()
}

impl World {
    async fn start(recurring: Recurring) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_795_348_800_000));
        Self::start_on(Memory::with_clock(Arc::new(clock.clone())), clock, recurring).await
    }

    async fn start_on(store: Memory, clock: ManualClock, recurring: Recurring) -> Self {
        let (sender, reports): (Reports, _) = mpsc::unbounded_channel();
        let engine = Engine::builder(Arc::new(store)).handler(Report).state(sender).schedule(recurring);
        Self { engine: engine.start().await.unwrap(), clock, reports }
    }

    /// Lets time pass and has the engine notice.
    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
        let nudge = Report.every("nudge", 1_000_000 * MINUTE, 0).starts(self.clock.now().after(1_000 * MINUTE));
        nudge.declare(&self.engine).await.unwrap();
    }

    async fn report(&mut self) -> u32 {
        tokio::time::timeout(Duration::from_secs(20), self.reports.recv()).await.expect("a report comes").unwrap()
    }
}

#[tokio::test]
async fn a_schedule_declared_at_the_start_ticks() {
    let mut world = World::start(Report.every("minutely", MINUTE, 7)).await;
    world.pass(MINUTE).await;
    assert_eq!(world.report().await, 7);
    world.pass(MINUTE).await;
    assert_eq!(world.report().await, 7);
    let found = world.engine.schedules().get(&name("minutely")).await.unwrap().unwrap();
    assert_eq!((found.cursor.submitted, found.cursor.last), (2, Some(world.clock.now())));
    let job = world.engine.get(found.cursor.job.unwrap(), &EVERYTHING).await.unwrap().unwrap();
    assert_eq!(job.new.name.as_str(), "Report");
}

/// By the machine's clock, where nobody nudges, and sooner than the loop looks of itself.
#[tokio::test]
async fn ticks_come_at_their_time_by_themselves() {
    let (sender, mut reports): (Reports, _) = mpsc::unbounded_channel();
    let engine = Engine::builder(Arc::new(Memory::new())).handler(Report).state(sender);
    let _engine = engine.schedule(Report.every("secondly", Duration::from_secs(1), 1)).start().await.unwrap();
    let both = async { (reports.recv().await, reports.recv().await) };
    let (one, two) = tokio::time::timeout(Duration::from_secs(8), both).await.expect("two ticks come");
    assert_eq!((one, two), (Some(1), Some(1)));
}

#[tokio::test]
async fn declaring_it_again_changes_it_and_keeps_its_place() {
    let mut world = World::start(Report.every("minutely", MINUTE, 1)).await;
    let schedules = world.engine.schedules();
    let before = schedules.get(&name("minutely")).await.unwrap().unwrap();
    Report.every("minutely", MINUTE, 1).declare(&world.engine).await.unwrap();
    assert_eq!(schedules.get(&name("minutely")).await.unwrap().unwrap(), before);
    Report.every("minutely", MINUTE, 2).priority(Priority::new(0).unwrap()).declare(&world.engine).await.unwrap();
    world.pass(MINUTE).await;
    assert_eq!(world.report().await, 2);
    assert!(schedules.pause(&name("minutely"), "while we look").await.unwrap());
    Report.every("minutely", MINUTE, 3).declare(&world.engine).await.unwrap();
    let paused = schedules.get(&name("minutely")).await.unwrap().unwrap();
    assert_eq!(paused.cursor.paused.as_deref(), Some("while we look"));
}

#[tokio::test]
async fn another_process_takes_over_where_the_last_one_left() {
    let clock = ManualClock::at(Timestamp::from_millis(1_795_348_800_000));
    let store = Memory::with_clock(Arc::new(clock.clone()));
    let hourly = || Report.every("hourly", 60 * MINUTE, 5).misfire(Misfire::All(3));
    let first = World::start_on(store.clone(), clock.clone(), hourly()).await;
    first.engine.shutdown().await;
    clock.advance(150 * MINUTE);
    let mut second = World::start_on(store, clock, hourly()).await;
    assert_eq!([second.report().await, second.report().await], [5, 5], "two ticks were missed meanwhile");
}

#[tokio::test]
async fn an_operator_pauses_resumes_triggers_and_removes() {
    let mut world = World::start(Report.every("minutely", MINUTE, 9)).await;
    let (schedules, minutely) = (world.engine.schedules(), name("minutely"));
    assert!(schedules.pause(&minutely, "the printer is broken").await.unwrap());
    world.pass(10 * MINUTE).await;
    let triggered = schedules.trigger(&minutely).await.unwrap().unwrap();
    assert_eq!(world.report().await, 9);
    let found = schedules.get(&minutely).await.unwrap().unwrap();
    assert_eq!((found.cursor.job, found.cursor.submitted, found.cursor.last), (None, 1, None));
    assert!(world.engine.get(triggered, &EVERYTHING).await.unwrap().is_some());

    assert!(schedules.resume(&minutely).await.unwrap());
    world.pass(MINUTE).await;
    assert_eq!(world.report().await, 9);
    assert_eq!(schedules.get(&minutely).await.unwrap().unwrap().cursor.submitted, 2, "nothing of the pause came after");

    assert!(schedules.remove(&minutely).await.unwrap());
    assert!(!schedules.remove(&minutely).await.unwrap());
    assert!(!schedules.pause(&minutely, "").await.unwrap() && !schedules.resume(&minutely).await.unwrap());
    assert_eq!(schedules.trigger(&minutely).await.unwrap(), None);
    let left = schedules.list(None).await.unwrap();
    assert_eq!(left.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["nudge"]);
}

#[tokio::test]
async fn the_next_ticks_can_be_told() {
    let world = World::start(Report.cron("nightly", "30 2 * * *", 1).zone("Europe/Zurich")).await;
    let next = world.engine.schedules().next(&name("nightly"), 2).await.unwrap();
    let shown: Vec<String> = next.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["2026-11-23T01:30:00.000Z", "2026-11-24T01:30:00.000Z"]);
    assert!(world.engine.schedules().next(&name("none"), 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn schedules_that_cannot_be_are_refused_and_say_why() {
    let world = World::start(Report.every("minutely", MINUTE, 1)).await;
    let wrong = [
        (Report.cron("x", "* * * *", 1), "cron expression"),
        (Report.cron("x", "0 0 30 2 *", 1), "schedule"),
        (Report.cron("x", "0 0 * * *", 1).zone("Mars/Olympus"), "time zone"),
        (Report.every("x", Duration::from_millis(10), 1), "interval"),
        (Report.every("no spaces", MINUTE, 1), "schedule name"),
        (Report.every("x", MINUTE, 1).starts(world.clock.now()).ends(Timestamp::UNIX_EPOCH), "schedule"),
        (Report.every("x", MINUTE, 1).misfire(Misfire::All(0)), "misfire"),
        (Report.every("x", MINUTE, 1).queue("no spaces"), "queue name"),
    ];
    for (recurring, what) in wrong {
        match recurring.owner(Owner::new("me").unwrap()).declare(&world.engine).await {
            Err(Error::Invalid(error)) => assert_eq!(error.what(), what),
            other => panic!("{what}: {other:?}"),
        }
    }
    let long = "x".repeat(2_000);
    assert!(matches!(world.engine.schedules().pause(&name("minutely"), &long).await, Err(Error::Invalid(_))));
    let builder = Engine::builder(Arc::new(Memory::new())).schedule(Report.every("x", Duration::ZERO, 1));
    assert!(matches!(builder.start().await, Err(StartError::Settings(error)) if error.what() == "interval"));
}

/// A program that declared a schedule up to the new year could not start any more in the new year.
#[tokio::test]
async fn a_schedule_that_has_ended_is_declared_on_and_ticks_no_more() {
    let ended = Timestamp::from_millis(1_700_000_000_000);
    let world = World::start(Report.every("over", MINUTE, 1).ends(ended)).await;
    world.pass(10 * MINUTE).await;
    let found = world.engine.schedules().get(&name("over")).await.unwrap().unwrap();
    assert_eq!((found.cursor.next, found.cursor.submitted), (None, 0));
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_shown_as_such_and_mended_by_declaring_it() {
    let world = World::start(Report.every("minutely", MINUTE, 1)).await;
    let schedules = world.engine.store().schedules().unwrap();
    let broken = Write { name: name("broken"), expected: None, due: None, record: vec![9], jobs: Vec::new() };
    schedules.write_schedule(broken).await.unwrap().unwrap();
    let listed = world.engine.schedules().list(None).await.unwrap();
    assert_eq!(
        listed.iter().map(|(name, read)| (name.as_str(), read.is_ok())).collect::<Vec<_>>(),
        [("broken", false), ("minutely", true)]
    );
    assert!(world.engine.schedules().pause(&name("broken"), "").await.is_err());
    Report.every("broken", MINUTE, 1).declare(&world.engine).await.unwrap();
    assert!(world.engine.schedules().get(&name("broken")).await.unwrap().is_some());
}
