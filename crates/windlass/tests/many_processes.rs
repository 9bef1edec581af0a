//! Two processes on one server: killed, replaced, and with clocks that are wrong.
#![cfg(all(unix, any(feature = "postgres", feature = "redis")))]

mod process;

use std::collections::HashMap;
use std::time::Duration;

use windlass::core::{AttemptOutcome, Job};

use process::jobs::{attempts, completed_once, drained, stored, submit_all};
use process::journal::{Journal, now_micros};
use process::load::{Load, SETTINGS, repeated_only_in_flight};
use process::{Process, Site, alone};

const KILLS: usize = 100;
const JOBS: u64 = 50_000;
const RESTARTS: usize = 20;
const LEASE: Duration = Duration::from_secs(2);

fn two(site: &Site) -> [Process; 2] {
    [site.start("fault_worker", SETTINGS), site.start("fault_worker", SETTINGS)]
}

/// A killed process, and when.
type Killed = HashMap<u32, i64>;

/// Kills one of two processes after the other, at random moments under load, until there have been enough kills and
/// enough jobs.
fn storm(site: &Site) -> (Killed, Load) {
    let mut processes = two(site);
    let load = Load::new(&[&processes[0], &processes[1]]);
    let mut killed = Killed::new();
    let processes = std::thread::scope(|scope| {
        let _guard = load.start(scope);
        while killed.len() < KILLS || load.acked() < JOBS {
            assert!(killed.len() < 10 * KILLS, "the callers get nowhere: {} acknowledged", load.acked());
            // Not a wait for anything: this is the random moment of the kill.
            std::thread::sleep(Duration::from_millis(fastrand::u64(50..400)));
            let which = killed.len() % 2;
            let fresh = site.start("fault_worker", SETTINGS);
            let dead = std::mem::replace(&mut processes[which], fresh);
            let at = now_micros();
            killed.insert(dead.kill(), at);
            load.point_to(&[&processes[0], &processes[1]]);
        }
        load.stop();
        processes
    });
    drained(&processes[0]);
    processes.into_iter().for_each(Process::terminate);
    (killed, load)
}

/// T1 on a server: nothing acknowledged is lost, only what was in flight at a kill runs again, and soon.
fn killed_workers_lose_nothing(server: &str, url: String) {
    let _alone = alone();
    let site = Site::on(url);
    let (killed, load) = storm(&site);
    let (jobs, journal) = (stored(&site), site.journal());
    let lost = (0..load.acked()).filter(|number| !jobs.get(number).is_some_and(completed_once)).count();
    let recoveries = recoveries(&journal, &killed);
    let p99 = recoveries[(recoveries.len() * 99).div_ceil(100) - 1];
    println!(
        "{server}: {} kills of one of two workers, {} acked, {lost} lost, {} ran again, p99 {p99:?} after the kill",
        killed.len(),
        load.acked(),
        recoveries.len(),
    );
    assert_eq!(lost, 0);
    assert_eq!(jobs.len() as u64, load.acked(), "every job has its own caller");
    let pids: Vec<u32> = killed.keys().copied().collect();
    jobs.iter().for_each(|(number, job)| repeated_only_in_flight(job, &journal.0[number], &pids));
    assert!(p99 <= LEASE + Duration::from_secs(2), "{p99:?}");
}

/// How long after the kill each execution began again that a kill had ended, in order. A job whose next process was killed
/// before it could note that it began has lost several leases in a row, and took an equal share of the time for each.
fn recoveries(journal: &Journal, killed: &Killed) -> Vec<Duration> {
    let mut recoveries = Vec::new();
    for pair in journal.0.values().flat_map(|executions| executions.windows(2)) {
        if let Some(at) = killed.get(&pair[0].pid) {
            let took = Duration::from_micros((pair[1].start - at).max(0) as u64);
            recoveries.push(took / (pair[1].attempt - pair[0].attempt));
        }
    }
    assert!(!recoveries.is_empty(), "the kills came under load");
    recoveries.sort();
    recoveries
}

/// One process after the other is replaced under load, as a deployment does: nothing runs twice and nothing is left.
fn rolling_restarts_repeat_nothing(server: &str, url: String) {
    let _alone = alone();
    let site = Site::on(url);
    let mut processes = two(&site);
    let load = Load::new(&[&processes[0], &processes[1]]);
    let processes = std::thread::scope(|scope| {
        let _guard = load.start(scope);
        for restart in 0..RESTARTS {
            let fresh = site.start("fault_worker", SETTINGS);
            load.point_to(&[&processes[(restart + 1) % 2], &fresh]);
            std::mem::replace(&mut processes[restart % 2], fresh).terminate();
        }
        load.stop();
        processes
    });
    drained(&processes[0]);
    processes.into_iter().for_each(Process::terminate);
    let (jobs, journal) = (stored(&site), site.journal());
    let orphans = (0..load.acked()).filter(|number| !jobs.get(number).is_some_and(completed_once)).count();
    let repeated = journal.0.values().filter(|executions| executions.len() > 1).count();
    println!("{server}: {RESTARTS} rolling restarts, {} acked, {orphans} orphans, {repeated} ran twice", load.acked());
    assert_eq!((orphans, repeated), (0, 0));
    assert!(jobs.values().all(|job| attempts(job, AttemptOutcome::Crashed) == 0));
}

/// Processes whose clocks are an hour ahead, an hour back, and stopped. Time is the server's, so jobs of three leases are
/// never taken back and delayed ones never start early.
fn wrong_clocks_change_nothing(server: &str, url: String) {
    let _alone = alone();
    let site = Site::on(url);
    let library = faketime();
    let with_clock = |clock: &str| {
        let mut settings = SETTINGS.to_vec();
        // Only the calendar is wrong: no machine's monotonic clock jumps.
        settings.extend([("LD_PRELOAD", library.as_str()), ("FAKETIME", clock), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
        site.start("fault_worker", &settings)
    };
    let processes = [with_clock("+1h"), with_clock("-1h"), with_clock("2020-01-01 00:00:00")];
    for (which, process) in processes.iter().enumerate() {
        let first = 100 * which as u64;
        submit_all(process, "/count", (first..first + 20).map(|number| (number, 6_000)));
        submit_all(process, "/later", (first + 50..first + 70).map(|number| (number, 3_000)));
    }
    drained(&processes[0]);
    processes.into_iter().for_each(Process::terminate);
    let jobs = stored(&site);
    let waited = |job: &Job| job.created_at.until(job.started_at.unwrap_or(job.created_at));
    let later = jobs.iter().filter(|(number, _)| *number % 100 >= 50).map(|(_, job)| waited(job));
    let earliest = later.clone().min().unwrap_or_default();
    let recovered = jobs.values().filter(|job| job.crashes > 0).count();
    println!(
        "{server}: clocks +1 h, -1 h, stopped: {} delayed by 3 s began after {earliest:?} at the earliest, {recovered} recovered of {}",
        later.count(),
        jobs.len()
    );
    assert_eq!((jobs.len(), recovered), (120, 0));
    assert!(jobs.values().all(completed_once));
    assert!(earliest >= Duration::from_secs(3), "{earliest:?}");
}

/// The library that shows a program another time, where Debian's package puts it for any kind of machine.
fn faketime() -> String {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = libraries.find(|library| library.is_file());
    found.expect("faketime is missing; ./test installs what tests need").display().to_string()
}

#[cfg(feature = "redis")]
mod redis {
    use windlass_testkit::servers::RedisServer;

    #[test]
    fn fault_killed_workers_lose_nothing() {
        let server = RedisServer::start().expect("a server");
        super::killed_workers_lose_nothing("redis", server.url());
    }

    #[test]
    fn fault_rolling_restarts_repeat_nothing() {
        let server = RedisServer::start().expect("a server");
        super::rolling_restarts_repeat_nothing("redis", server.url());
    }

    #[test]
    fn fault_wrong_clocks_change_nothing() {
        let server = RedisServer::start().expect("a server");
        super::wrong_clocks_change_nothing("redis", server.url());
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use windlass_testkit::servers::PostgresServer;

    #[test]
    fn fault_killed_workers_lose_nothing() {
        let server = PostgresServer::start().expect("a server");
        super::killed_workers_lose_nothing("postgres", server.url());
    }

    #[test]
    fn fault_rolling_restarts_repeat_nothing() {
        let server = PostgresServer::start().expect("a server");
        super::rolling_restarts_repeat_nothing("postgres", server.url());
    }

    #[test]
    fn fault_wrong_clocks_change_nothing() {
        let server = PostgresServer::start().expect("a server");
        super::wrong_clocks_change_nothing("postgres", server.url());
    }
}
