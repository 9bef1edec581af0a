//! T1: `kill -9` at any moment loses no acknowledged job, and runs again only what was running.
#![cfg(unix)]

mod process;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windlass::core::{AttemptOutcome, Job};

use process::client::Client;
use process::jobs::{attempts, completed_once, drained, look, stored, submit, submit_all};
use process::journal::{Execution, now_micros};
use process::{Process, Settings, Site, alone};

const KILLS: usize = 100;
const JOBS: u64 = 50_000;
const CALLERS: usize = 24;

/// The kills are ours and not the jobs' fault, so no number of them makes a job suspicious here; `poison.rs` is about
/// the other case.
const SETTINGS: Settings<'_> = &[
    ("RUST_LOG", "error,windlass_http=info"),
    ("WINDLASS_LEASE", "2s"),
    ("WINDLASS_MAX_CONCURRENCY", "64"),
    ("WINDLASS_MAX_CRASHES", "1000"),
    ("WINDLASS_MAX_QUEUE_SIZE", "1000000"),
];

/// Callers that submit without pause, whatever happens to the process.
struct Load {
    address: Mutex<SocketAddr>,
    next: AtomicU64,
    acked: AtomicU64,
    sent_again: AtomicU64,
    /// No new numbers.
    over: AtomicBool,
    /// The test has failed: nobody will answer any more.
    hopeless: AtomicBool,
}

/// Sends the callers home when the test fails, so that it ends.
struct OnFailure<'a>(&'a Load);

impl Drop for OnFailure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.over.store(true, Ordering::SeqCst);
            self.0.hopeless.store(true, Ordering::SeqCst);
        }
    }
}

impl Load {
    fn new(process: &Process) -> Self {
        Self {
            address: Mutex::new(process.address),
            next: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            sent_again: AtomicU64::new(0),
            over: AtomicBool::new(false),
            hopeless: AtomicBool::new(false),
        }
    }

    fn point_to(&self, process: &Process) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = process.address;
    }

    fn acked(&self) -> u64 {
        self.acked.load(Ordering::SeqCst)
    }

    /// One caller: takes numbers and stays with each until it is acknowledged. When the connection breaks it cannot
    /// know whether the job was stored, so it asks again under the same id.
    fn call(&self) {
        let mut client = None;
        while !self.over.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            while !self.is_accepted(&mut client, number) {
                if self.hopeless.load(Ordering::SeqCst) {
                    return;
                }
                self.sent_again.fetch_add(1, Ordering::SeqCst);
                // The next process takes a moment to start.
                std::thread::sleep(Duration::from_millis(5));
            }
            self.acked.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn is_accepted(&self, client: &mut Option<Client>, number: u64) -> bool {
        if client.is_none() {
            let address = *self.address.lock().unwrap_or_else(PoisonError::into_inner);
            *client = Client::connect(address).ok();
        }
        let Some(connection) = client else { return false };
        match submit(connection, "/count", number, number % 5) {
            Ok(answer) if answer.status == 202 => true,
            // The disk was too slow for the caller's patience: as unknown as a broken connection.
            Ok(answer) if answer.status == 503 => false,
            Ok(answer) => panic!("refused with {}: {}", answer.status, answer.text()),
            Err(_) => {
                *client = None;
                false
            }
        }
    }
}

/// Starts and kills processes under load until there have been enough kills and enough jobs, lets the last one finish
/// everything, and gives the killed ones and the load.
fn storm(site: &Site) -> (Vec<u32>, Load) {
    let mut process = site.start("fault_worker", SETTINGS);
    let load = Load::new(&process);
    let mut killed = Vec::new();
    let process = std::thread::scope(|scope| {
        let _guard = OnFailure(&load);
        (0..CALLERS).for_each(|_| drop(scope.spawn(|| load.call())));
        while killed.len() < KILLS || load.acked() < JOBS {
            assert!(killed.len() < 10 * KILLS, "the callers get nowhere: {} acknowledged", load.acked());
            // Not a wait for anything: this is the random moment of the kill.
            std::thread::sleep(Duration::from_millis(fastrand::u64(50..400)));
            killed.push(process.kill());
            process = site.start("fault_worker", SETTINGS);
            load.point_to(&process);
        }
        load.over.store(true, Ordering::SeqCst);
        process
    });
    drained(&process);
    process.terminate();
    (killed, load)
}

#[test]
fn fault_kill_9_under_load_loses_no_acknowledged_job() {
    let _alone = alone();
    let site = Site::new();
    let (killed, load) = storm(&site);
    let (jobs, journal) = (stored(&site), site.journal());
    let lost = (0..load.acked()).filter(|number| !jobs.get(number).is_some_and(completed_once)).count();
    let repeats: usize = journal.0.values().map(|executions| executions.len() - 1).sum();
    let at_a_kill: usize = jobs.values().map(|job| attempts(job, AttemptOutcome::Crashed)).sum();
    println!(
        "kill: {} kills, {} acked, {lost} lost, {at_a_kill} attempts in flight at a kill, {repeats} executions beyond \
         one, all of them after such an attempt; {} requests sent again",
        killed.len(),
        load.acked(),
        load.sent_again.load(Ordering::SeqCst),
    );
    assert_eq!(lost, 0);
    assert_eq!(jobs.len() as u64, load.acked(), "every job has its own caller");
    assert!(repeats > 0 && load.sent_again.load(Ordering::SeqCst) > 0, "the kills came under load");
    jobs.iter().for_each(|(number, job)| repeated_only_in_flight(job, &journal.0[number], &killed));
}

/// Each execution but the last belongs to an attempt that the store saw crash, in a process that was killed; and none
/// begins after the job was completed.
fn repeated_only_in_flight(job: &Job, executions: &[Execution], killed: &[u32]) {
    let completed_at = job.finished_at.expect("completed").as_micros();
    let mut processes = HashMap::new();
    for execution in executions {
        assert!(execution.start <= completed_at, "{executions:?} began after the end of {job:?}");
        assert_eq!(processes.insert(execution.pid, ()), None, "twice in one process: {executions:?}");
    }
    let crashed = |attempt: u32| {
        let held = job.attempts.iter().find(|held| held.number == attempt);
        held.is_some_and(|held| held.outcome == AttemptOutcome::Crashed)
    };
    for earlier in &executions[..executions.len() - 1] {
        assert!(killed.contains(&earlier.pid), "repeated without a kill: {executions:?}");
        assert!(crashed(earlier.attempt), "repeated without a lost lease: {executions:?}, {job:?}");
    }
}

#[test]
fn fault_jobs_of_a_killed_process_run_again_within_lease_and_two_seconds() {
    let _alone = alone();
    let site = Site::new();
    let settings = &[("WINDLASS_LEASE", "2s"), ("WINDLASS_MAX_CONCURRENCY", "64")];
    let process = site.start("fault_worker", settings);
    submit_all(&process, "/count", (0..50).map(|number| (number, 20_000)));
    let first = site.journal_when("50 jobs run", |journal| journal.started() == 50);
    let killed_at = now_micros();
    let dead = process.kill();
    let process = site.start("fault_worker", settings);
    let second = site.journal_when("they run again", |journal| journal.started() == 100);
    let again = second.executions().filter(|one| one.pid == process.pid()).map(|one| one.start).max().unwrap_or(0);
    let took = Duration::from_micros((again - killed_at).max(0) as u64);
    println!("recovery: 50 jobs ran again at most {took:?} after the kill, lease 2 s");
    assert!(took <= Duration::from_secs(4), "{took:?}");
    assert!(first.executions().all(|one| one.pid == dead && one.end.is_none()));
    assert_eq!(look(&process, 0)["attempts"][0]["outcome"], "Crashed");
}
