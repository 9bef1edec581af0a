//! Five processes look after the same schedules for years, in seconds: two are killed, one stands still for a while, and every
//! tick is there once.
#![cfg(all(unix, any(feature = "postgres", feature = "redis")))]

#[allow(dead_code, reason = "the processes go by it, and here it is known where it begins")]
#[path = "../../../examples/fault-clockwork/clock.rs"]
mod clock;
mod process;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::runtime::Runtime;
use windlass::core::schedule::Cursor;
use windlass::core::{Cadence, Clock, JobId, Misfire, NewJob, Overlap, Payload, Schedule, ScheduleName, SystemClock};
use windlass::store::schedules::{Record, Write};
use windlass::store::{Filter, SharedStore};

use clock::FastClock;
use process::jobs::open;
use process::{Process, Site, until};

const PROCESSES: usize = 5;
/// In each of them clocks are put forward and back.
const ZONES: [&str; 5] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland", "Africa/Cairo"];
const DAYS: u32 = 2_010;
const TICKS: u64 = 10_000;
const DAY: Duration = Duration::from_secs(86_400);
const YEARS_MAY_TAKE: Duration = Duration::from_secs(240);

/// At half past two, an hour that some days have twice and some have not. What several processes miss together is made up for.
fn schedule(zone: &str) -> Schedule {
    let draft = NewJob::build("Tick", Payload::empty()).queue("ticks");
    let job = draft.finish(FastClock::BEGINNING).expect("valid");
    let name = ScheduleName::new(zone.replace('/', "-")).expect("valid");
    let ends = Some(FastClock::BEGINNING.after(DAY * DAYS));
    let cadence = Cadence::zoned("30 2 * * *", zone).expect("valid");
    let (misfire, overlap) = (Misfire::All(1_000), Overlap::Allow);
    Schedule { ends, misfire, overlap, ..Schedule::new(name, cadence, job) }
}

/// The jobs of all its ticks, each dealt with at its moment.
fn expected(schedule: &Schedule) -> Vec<JobId> {
    let mut cursor = schedule.begin(FastClock::BEGINNING);
    let mut jobs = Vec::new();
    while let Some(tick) = cursor.next {
        let due = schedule.due(&cursor, tick, false);
        jobs.extend(due.jobs.iter().map(|job| job.id));
        cursor = due.cursor;
    }
    jobs
}

/// The store beside the processes.
struct Watch {
    runtime: Runtime,
    store: SharedStore,
}

impl Watch {
    fn of(site: &Site) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let store = runtime.block_on(open(&site.store()));
        Self { runtime, store }
    }

    fn declare(&self, schedule: &Schedule) {
        let cursor = schedule.begin(FastClock::BEGINNING);
        let write = Write {
            name: schedule.name.clone(),
            expected: None,
            due: cursor.next,
            record: Record { schedule: schedule.clone(), cursor }.seal().expect("sealed"),
            jobs: Vec::new(),
        };
        let store = self.store.schedules().expect("schedules");
        assert!(self.runtime.block_on(store.write_schedule(write)).expect("written").is_some());
    }

    fn cursor(&self, name: &ScheduleName) -> Cursor {
        let store = self.store.schedules().expect("schedules");
        let kept = self.runtime.block_on(store.find_schedule(name)).expect("found").expect("it is there");
        kept.record().expect("a record").cursor
    }

    fn jobs(&self) -> Vec<JobId> {
        let store = self.store.query().expect("the store lists");
        let (mut jobs, mut filter) = (Vec::new(), Filter { limit: 100, ..Filter::default() });
        loop {
            let page = self.runtime.block_on(store.list(&filter)).expect("listed");
            jobs.extend(page.jobs.iter().map(|job| job.new.id));
            filter.after = page.next;
            if filter.after.is_none() {
                return jobs;
            }
        }
    }
}

fn every_tick_is_there_once(server: &str, url: String) {
    let site = Site::on(url);
    let watch = Watch::of(&site);
    let schedules = ZONES.map(schedule);
    let since = SystemClock.now();
    schedules.iter().for_each(|schedule| watch.declare(schedule));
    let settings = [("RUST_LOG", "error,windlass_http=info"), ("FAULT_SINCE", &*since.as_micros().to_string())];
    let mut processes: Vec<Process> = (0..PROCESSES).map(|_| site.start("fault_clockwork", &settings)).collect();
    let submitted = || schedules.iter().map(|schedule| watch.cursor(&schedule.name).submitted).sum::<u64>();
    let so_many_are_there = |part: u64| {
        until("more ticks have come", YEARS_MAY_TAKE, || (submitted() >= TICKS * part / 5).then_some(()));
    };
    so_many_are_there(1);
    processes.remove(0).kill();
    so_many_are_there(2);
    processes[0].signal("STOP");
    so_many_are_there(3);
    processes.remove(1).kill();
    so_many_are_there(4);
    processes[0].signal("CONT");
    until("all ticks have come", YEARS_MAY_TAKE, || {
        schedules.iter().all(|schedule| watch.cursor(&schedule.name).next.is_none()).then_some(())
    });
    let took = since.until(SystemClock.now());
    processes.into_iter().for_each(Process::terminate);
    let jobs = watch.jobs();
    let expected: BTreeSet<JobId> = schedules.iter().flat_map(expected).collect();
    println!("{server}: {} ticks of {} days in {} zones, in {took:?}", jobs.len(), DAYS, ZONES.len());
    assert!(expected.len() as u64 >= TICKS, "{}", expected.len());
    assert_eq!(submitted(), expected.len() as u64);
    assert_eq!(jobs.len(), expected.len(), "each tick is there once");
    assert_eq!(jobs.into_iter().collect::<BTreeSet<_>>(), expected);
}

macro_rules! on {
    ($($server:ident: $feature:literal, $kind:ident;)*) => {$(
        #[cfg(feature = $feature)]
        #[test]
        fn $server() {
            let _alone = process::alone();
            let server = windlass_testkit::servers::$kind::start_in(&windlass_testkit::servers::place_that_keeps_time());
            let server = server.expect("a server");
            every_tick_is_there_once(stringify!($server), server.url());
        }
    )*};
}

on! {
    fault_every_tick_is_there_once_on_redis: "redis", RedisServer;
    fault_every_tick_is_there_once_on_postgres: "postgres", PostgresServer;
}
