//! Four processes on one server go by the same rules: so many at a time though they are killed, so many a second, and a pause
//! that all of them heed.
#![cfg(all(unix, any(feature = "postgres", feature = "redis")))]

mod process;

use std::collections::HashMap;
use std::time::Duration;

use tokio::runtime::Runtime;
use windlass::core::gate::Edit;
use windlass::core::{AttemptOutcome, Clock, Gate, Job, Limits, NewJob, Payload, Rate, RetryPolicy, SystemClock};
use windlass::store::{SharedStore, Verbs};

use process::jobs::{completed_once, drained, number_id, open, stored};
use process::journal::now_micros;
use process::load::SETTINGS;
use process::{Process, Site, alone};

const PROCESSES: usize = 4;

/// The store beside the processes, and them.
struct Fleet {
    site: Site,
    runtime: Runtime,
    store: SharedStore,
    processes: Vec<Process>,
}

impl Fleet {
    /// Jobs and rules first, then the processes.
    fn start(url: String, jobs: Vec<NewJob>, gate: &str, limits: Limits) -> Self {
        let site = Site::on(url);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let store = runtime.block_on(open(&site.store()));
        let mut fleet = Self { site, runtime, store, processes: Vec::new() };
        fleet.submit(jobs);
        fleet.edit(gate, Edit::Limit(limits));
        fleet.edit("*", Edit::Pause("until all are there".into()));
        fleet.processes = (0..PROCESSES).map(|_| fleet.site.start("fault_worker", SETTINGS)).collect();
        fleet.edit("*", Edit::Resume);
        fleet
    }

    fn submit(&self, jobs: Vec<NewJob>) {
        for batch in jobs.chunks(1_000) {
            let _ = self.runtime.block_on(self.store.submit(batch.to_vec())).expect("stored");
        }
    }

    fn edit(&self, gate: &str, edit: Edit) {
        let (gates, gate): (_, Gate) = (self.store.gates().expect("rules"), gate.parse().expect("a gate"));
        self.runtime.block_on(gates.edit_gate(&gate, edit)).expect("edited");
    }

    fn taken(&self) -> u64 {
        let gates = self.store.gates().expect("rules");
        self.runtime.block_on(gates.list_gates(None, 9)).expect("listed").iter().map(|ruled| ruled.taken).sum()
    }
}

/// Job `number`, which takes so many milliseconds.
fn job(number: u64, ms: u64, key: Option<u64>) -> NewJob {
    let input = Payload::json(&serde_json::json!({ "number": number, "ms": ms })).expect("JSON");
    let retry = RetryPolicy { max_crashes: 1_000, ..RetryPolicy::default() };
    let draft = NewJob::build("Count", input).id(number_id(number)).retry(retry);
    let draft = match key {
        Some(key) => draft.key("user", key),
        None => draft,
    };
    draft.finish(SystemClock.now()).expect("valid")
}

const KEYS: u64 = 10_000;
const JOBS_OF_KEYS: u64 = 60_000;

/// One at a time for each of 10 000 keys, while a process is killed every second.
fn killed_processes_never_overfill_a_key(server: &str, url: String) {
    let _alone = alone();
    let jobs =
        (0..JOBS_OF_KEYS).map(|number| job(number, fastrand::u64(20..60), Some(fastrand::u64(0..KEYS)))).collect();
    let mut fleet = Fleet::start(url, jobs, "keys:user", Limits::running(1));
    let mut kills = 0;
    while fleet.processes[0].get("/counts").json()["Completed"].as_u64().unwrap_or(0) < JOBS_OF_KEYS * 9 / 10 {
        // The kills' own rhythm.
        std::thread::sleep(Duration::from_secs(1));
        let fresh = fleet.site.start("fault_worker", SETTINGS);
        let dead = std::mem::replace(&mut fleet.processes[kills % PROCESSES], fresh);
        dead.kill();
        kills += 1;
        assert!(kills < 300, "no end in sight");
    }
    drained(&fleet.processes[0]);
    let taken = fleet.taken();
    fleet.processes.drain(..).for_each(Process::terminate);
    let jobs = stored(&fleet.site);
    let crashed: usize = jobs.values().map(|job| process::jobs::attempts(job, AttemptOutcome::Crashed)).sum();
    let overlaps = overlaps(jobs.values());
    println!(
        "{server}: {kills} kills, {} jobs, {crashed} attempts crashed, {overlaps} overlaps, {taken} slots left",
        jobs.len()
    );
    assert!(kills >= 5 && crashed > 0, "the kills came under load");
    assert!(jobs.len() as u64 == JOBS_OF_KEYS && jobs.values().all(completed_once));
    assert_eq!((overlaps, taken), (0, 0));
}

/// How many attempts of a key began before the one before them was over, by the store's own record.
fn overlaps<'j>(jobs: impl Iterator<Item = &'j Job>) -> usize {
    let mut of_keys: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
    for job in jobs {
        let key = job.new.keys().first().expect("each has one").to_string();
        let spans = job.attempts.iter().map(|one| (one.started_at.as_micros(), one.finished_at.as_micros()));
        of_keys.entry(key).or_default().extend(spans);
    }
    let overlapping = |spans: &mut Vec<(i64, i64)>| {
        spans.sort_unstable();
        spans.windows(2).filter(|pair| pair[1].0 < pair[0].1).count()
    };
    of_keys.values_mut().map(overlapping).sum()
}

const RATE: u32 = 500;
const BURST: u32 = 50;
const JOBS_BEFORE: u64 = 4_000;

/// How long the rate is watched; a minute where nobody is in a hurry.
fn watched() -> u64 {
    std::env::var("WINDLASS_TEST_RATE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// As many as a rate lets start within `seconds`, after its burst.
fn allowed(seconds: u64) -> u64 {
    seconds * u64::from(RATE) + u64::from(BURST)
}

/// 500 a second after a burst of 50, in any second and any ten. Processes that have worked before are watched: the first turns of
/// a fresh one take longer, as its connections are opened and its sessions plan.
fn a_rate_is_kept_by_all_together(server: &str, url: String) {
    let _alone = alone();
    let (count, gate) = (allowed(watched()), "handler:Count");
    let jobs_before = (count..count + JOBS_BEFORE).map(|number| job(number, 0, None)).collect();
    // Those that a bucket is ahead when it is changed would be missing in the burst.
    let limits = |rate| Rate::per_second(rate).and_then(|rate| rate.burst(BURST)).map(Limits::rate).expect("valid");
    let mut fleet = Fleet::start(url, jobs_before, gate, limits(RATE * 4));
    drained(&fleet.processes[0]);
    fleet.edit("*", Edit::Pause("until all jobs are there".into()));
    fleet.edit(gate, Edit::Limit(limits(RATE)));
    fleet.submit((0..count).map(|number| job(number, 0, None)).collect());
    fleet.edit("*", Edit::Resume);
    // Whoever asks meanwhile takes time from those that are watched.
    std::thread::sleep(Duration::from_secs(watched()));
    drained(&fleet.processes[0]);
    fleet.processes.drain(..).for_each(Process::terminate);
    let jobs = stored(&fleet.site);
    let mut starts: Vec<i64> = jobs
        .iter()
        .filter(|(number, _)| **number < count)
        .filter_map(|(_, job)| Some(job.started_at?.as_micros()))
        .collect();
    starts.sort_unstable();
    assert_eq!(starts.len() as u64, count);
    tell_gaps(server, &starts);
    for seconds in [1, 10] {
        let (least, most) = windows(&starts, seconds);
        let allowance = (u64::from(RATE) * seconds) as f64;
        let (low, high) = (least as f64 / allowance, (most as f64 - f64::from(BURST)) / allowance);
        println!(
            "{server}: in {seconds} s {least} to {most} starts: {low:.3} to {high:.3} of what is allowed, plus the burst"
        );
        assert!(high <= 1.0, "more than is allowed: {high}");
        // A claim that passed over a thousand jobs once kept the others out for longer than a burst lasts, and half the rate was lost.
        assert!(seconds < 10 || low >= 0.8, "less than is allowed: {low}");
    }
}

/// When nobody started, and that it was not for long.
fn tell_gaps(server: &str, starts: &[i64]) {
    let gap = |pair: &[i64]| ((pair[1] - pair[0]) / 1_000, (pair[0] - starts[0]) / 1_000);
    let mut gaps: Vec<(i64, i64)> = starts.windows(2).map(gap).filter(|(gap, _)| *gap > 20).collect();
    gaps.sort_unstable();
    let longest: Vec<String> = gaps.iter().rev().take(5).map(|(gap, after)| format!("{gap} after {after}")).collect();
    println!("{server}: {} gaps of over 20 ms; the longest, in ms: {}", gaps.len(), longest.join(", "));
    let gap = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    let gap = Duration::from_micros(gap.unsigned_abs());
    println!("{server}: the longest time without a start was {gap:?}");
    // A claim that looked for suspects once took all that waited back, which kept everybody waiting for half a minute.
    assert!(gap < Duration::from_secs(4), "nobody started for {gap:?}");
}

/// The fewest and the most starts in any window of so many seconds. A window with the fewest begins after a start; the end of
/// the last lies before the last start.
fn windows(starts: &[i64], seconds: u64) -> (usize, usize) {
    let span = seconds as i64 * 1_000_000;
    let last = *starts.last().expect("there are some");
    let within = |from: i64, behind: usize| starts[behind..].partition_point(|start| *start < from + span);
    let most = starts.iter().enumerate().map(|(place, from)| within(*from, place)).max().unwrap_or(0);
    let whole = starts.iter().enumerate().filter(|(_, from)| **from + 1 + span <= last);
    let least = whole.map(|(place, from)| within(*from + 1, place + 1)).min().unwrap_or(0);
    (least, most)
}

const ROUNDS: usize = 25;
const WINDOW: Duration = Duration::from_millis(300);

/// A pause and a resumption reach four busy processes.
fn a_pause_reaches_all_at_once(server: &str, url: String) {
    let _alone = alone();
    let jobs = (0..200_000).map(|number| job(number, 20, None)).collect();
    let mut fleet = Fleet::start(url, jobs, "queue:default", Limits::default());
    fleet.site.journal_when("all processes work", |journal| {
        let pids: std::collections::HashSet<u32> = journal.executions().map(|one| one.pid).collect();
        pids.len() == PROCESSES
    });
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        fleet.edit("queue:default", Edit::Pause("a test".into()));
        let paused = now_micros();
        // Not a wait for anything: what begins meanwhile is what is measured.
        std::thread::sleep(WINDOW);
        let resumed = now_micros();
        fleet.edit("queue:default", Edit::Resume);
        std::thread::sleep(WINDOW);
        rounds.push((paused, resumed));
    }
    let waiting = fleet.processes[0].get("/counts").json()["Queued"].as_u64().unwrap_or(0);
    assert!(waiting > 0, "the backlog lasts to the end");
    fleet.processes.drain(..).for_each(drop);
    let mut starts: HashMap<u32, Vec<i64>> = HashMap::new();
    for one in fleet.site.journal().executions() {
        starts.entry(one.pid).or_default().push(one.start);
    }
    assert_eq!(starts.len(), PROCESSES);
    let (mut pauses, mut resumptions) = (Vec::new(), Vec::new());
    for (paused, resumed) in rounds {
        for of_process in starts.values() {
            let late = of_process.iter().filter(|start| (paused..resumed).contains(*start)).max();
            pauses.push(late.map_or(0, |late| late - paused));
            let first = of_process.iter().filter(|start| **start >= resumed).min().expect("it goes on");
            resumptions.push(first - resumed);
        }
    }
    let (pause, resumption) = (p99(pauses), p99(resumptions));
    println!("{server}: p99 of {ROUNDS} rounds in {PROCESSES} processes: pause {pause:?}, resumption {resumption:?}");
    assert!(pause <= Duration::from_millis(100) && resumption <= Duration::from_millis(100));
}

fn p99(mut spans: Vec<i64>) -> Duration {
    spans.sort_unstable();
    Duration::from_micros(spans[(spans.len() * 99).div_ceil(100) - 1].unsigned_abs())
}

macro_rules! on {
    ($($server:ident: $feature:literal, $kind:ident;)*) => {$(
        #[cfg(feature = $feature)]
        mod $server {
            #[test]
            fn fault_killed_processes_never_overfill_a_key() {
                let server = windlass_testkit::servers::$kind::start().expect("a server");
                super::killed_processes_never_overfill_a_key(stringify!($server), server.url());
            }

            #[test]
            fn fault_a_rate_is_kept_by_all_together() {
                let server = windlass_testkit::servers::$kind::start_in(&windlass_testkit::servers::place_that_keeps_time()).expect("a server");
                super::a_rate_is_kept_by_all_together(stringify!($server), server.url());
            }

            #[test]
            fn fault_a_pause_reaches_all_at_once() {
                let server = windlass_testkit::servers::$kind::start_in(&windlass_testkit::servers::place_that_keeps_time()).expect("a server");
                super::a_pause_reaches_all_at_once(stringify!($server), server.url());
            }
        }
    )*};
}

on! {
    redis: "redis", RedisServer;
    postgres: "postgres", PostgresServer;
}
