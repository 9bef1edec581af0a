//! T3, T5, T8: a process that is stopped past its leases, whose threads are all blocked, or that is asked to end.
#![cfg(unix)]

mod process;

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;
use windlass::core::{AttemptOutcome, Job, Status};

use process::client::Client;
use process::jobs::{completed_once, drained, look, stored, submit_all};
use process::{PATIENCE, Site, alone, until};

/// With jobs that take 5 s and a stop of 6 s every handler is over its time when the process goes on, so all of them
/// come with a result 4 s or more after the end of their leases. Each must be refused: the job belongs to whoever
/// holds it next.
#[test]
fn fault_late_completions_after_a_stop_are_refused() {
    let _alone = alone();
    let site = Site::new();
    let process = site.start("fault_worker", &[("WINDLASS_LEASE", "2s"), ("WINDLASS_MAX_CONCURRENCY", "128")]);
    submit_all(&process, "/count", (0..100).map(|number| (number, 5_000)));
    site.journal_when("100 jobs run", |journal| journal.started() == 100);
    process.signal("STOP");
    assert_eq!(site.journal().ended(), 0, "they were stopped while they ran");
    // Nothing to wait for: the stop itself has a length.
    std::thread::sleep(Duration::from_secs(6));
    process.signal("CONT");
    drained(&process);
    let views: Vec<Value> = (0..100).map(|number| look(&process, number)).collect();
    process.terminate();
    let journal = site.journal();
    let late = journal.executions().filter(|one| one.attempt == 1 && one.end.is_some()).count();
    let refused = views.iter().filter(|job| is_the_second_attempts(job)).count();
    println!(
        "stop: 100 jobs stopped 3 × lease, {late} late completions, {refused} of 100 jobs have the second attempt's result"
    );
    assert_eq!(refused, 100);
    assert!(stored(&site).values().all(completed_once));
}

fn is_the_second_attempts(job: &Value) -> bool {
    let outcomes: Vec<&str> =
        job["attempts"].as_array().expect("a list").iter().filter_map(|one| one["outcome"].as_str()).collect();
    job["status"] == "Completed" && outcomes == ["Crashed", "Completed"] && job["result"]["attempt"] == 2
}

/// Every thread of the runtime is busy for three leases in one go. The heartbeat has its own, so no lease is lost.
#[test]
fn fault_blocked_threads_lose_no_lease() {
    let _alone = alone();
    let site = Site::new();
    let process = site.start(
        "fault_worker",
        &[
            ("WINDLASS_LEASE", "2s"),
            ("WINDLASS_MAX_CONCURRENCY", "8"),
            ("WINDLASS_SUBMIT_TIMEOUT", "60s"),
            ("TOKIO_WORKER_THREADS", "2"),
        ],
    );
    // Each caller on a connection of its own: while the threads are blocked nobody is answered.
    std::thread::scope(|scope| {
        (0..4).for_each(|number| {
            drop(scope.spawn({
                let process = &process;
                move || submit_all(process, "/block", [(number, 6_000)])
            }))
        });
    });
    site.journal_when("all have ended", |journal| journal.ended() == 4);
    drained(&process);
    process.terminate();
    let most = site.journal().most_at_once();
    let jobs = stored(&site);
    let kept = jobs.values().filter(|job| job.crashes == 0 && completed_once(job)).count();
    println!("blocked: 4 jobs of 3 × lease on 2 threads, {most} at once, {} leases lost", 4 - kept);
    assert_eq!(most, 2, "every thread was blocked");
    assert_eq!(kept, 4);
}

/// How long the grace is in the tests below.
const GRACE: Duration = Duration::from_secs(2);

#[test]
fn fault_sigterm_gives_running_jobs_back_unharmed() {
    let _alone = alone();
    let site = Site::new();
    let settings = &[("WINDLASS_SHUTDOWN_GRACE", "2s"), ("WINDLASS_MAX_CONCURRENCY", "256")];
    let mut process = site.start("fault_worker", settings);
    // The longest first, so that the shortest, of one second, still runs when the last has begun.
    submit_all(&process, "/count", (0..200).map(|number| (number, 20_900 - number * 100)));
    let begun = site.journal_when("200 jobs run", |journal| journal.started() == 200);
    process.signal("TERM");
    let (status, took) = process.wait();
    let jobs = stored(&site);
    let finished: HashSet<u64> = of_status(&jobs, Status::Completed);
    let given_back = of_status(&jobs, Status::Queued);
    println!(
        "sigterm: {} running, {} finished within the grace, {} given back, exit code {:?} after {took:?}",
        200 - begun.ended(),
        finished.len(),
        given_back.len(),
        status.code(),
    );
    assert_eq!(status.code(), Some(0));
    assert!(took <= GRACE + Duration::from_secs(1), "{took:?}");
    assert!(begun.ended() <= 10 && !finished.is_empty() && given_back.len() >= 150);
    assert_eq!(finished.len() + given_back.len(), 200);
    assert!(given_back.iter().all(|number| is_unharmed(&jobs[number])), "nothing was spent");

    let process = site.start("fault_worker", &[("FAULT_HASTE", "1")]);
    drained(&process);
    process.terminate();
    let jobs = stored(&site);
    assert!(jobs.len() == 200 && jobs.values().all(|job| completed_once(job) && job.crashes == 0));
    let again = site.journal();
    assert!(finished.iter().all(|number| again.0[number].len() == 1), "what had finished did not run again");
}

fn of_status(jobs: &std::collections::HashMap<u64, Job>, status: Status) -> HashSet<u64> {
    jobs.iter().filter(|(_, job)| job.status == status).map(|(number, _)| *number).collect()
}

fn is_unharmed(job: &Job) -> bool {
    job.retries == 0 && job.crashes == 0 && job.attempts.is_empty() && job.error.is_none()
}

#[test]
fn fault_a_second_sigterm_ends_the_grace() {
    let _alone = alone();
    let site = Site::new();
    let mut process = site.start("fault_worker", &[("WINDLASS_SHUTDOWN_GRACE", "30s")]);
    submit_all(&process, "/count", [(0, 25_000)]);
    site.journal_when("it runs", |journal| journal.started() == 1);
    process.signal("TERM");
    until("it takes no more connections", PATIENCE, || is_refused(process.connect()).then_some(()));
    assert!(process.ended().is_none(), "the job runs on in its grace");
    let since = Instant::now();
    process.signal("TERM");
    let (status, _) = process.wait();
    println!("second sigterm: exit code {:?} after {:?}, grace 30 s", status.code(), since.elapsed());
    assert_eq!(status.code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    let jobs = stored(&site);
    assert!(jobs[&0].status == Status::Queued && is_unharmed(&jobs[&0]), "{:?}", jobs[&0]);
}

fn is_refused(connected: io::Result<Client>) -> bool {
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// A handler that blocks its thread cannot be stopped, but its job can be given back: when the process is killed at the
/// end of its grace, as supervisors do, nothing counts as a crash.
#[test]
fn fault_sigterm_gives_the_job_of_a_blocked_thread_back_too() {
    let _alone = alone();
    let site = Site::new();
    let process = site.start("fault_worker", &[("WINDLASS_SHUTDOWN_GRACE", "1s")]);
    submit_all(&process, "/block", [(0, 8_000)]);
    site.journal_when("it runs", |journal| journal.started() == 1);
    process.signal("TERM");
    // Not a wait for anything: the supervisor's patience is the grace and one second.
    std::thread::sleep(Duration::from_secs(2));
    process.kill();
    let jobs = stored(&site);
    println!("blocked at sigterm: the job is {} after grace + 1 s", jobs[&0].status);
    assert!(jobs[&0].status == Status::Queued && is_unharmed(&jobs[&0]), "{:?}", jobs[&0]);
}

/// SIGKILL in the middle of a drain is a crash like any other (sidekiq#4715).
#[test]
fn fault_a_kill_during_the_drain_loses_nothing() {
    let _alone = alone();
    let site = Site::new();
    let settings = &[("WINDLASS_SHUTDOWN_GRACE", "30s"), ("WINDLASS_MAX_CONCURRENCY", "64")];
    let process = site.start("fault_worker", settings);
    submit_all(&process, "/count", (0..50).map(|number| (number, if number < 25 { 400 } else { 20_000 })));
    site.journal_when("50 jobs run", |journal| journal.started() == 50);
    process.signal("TERM");
    site.journal_when("some finish in the drain", |journal| journal.ended() >= 25);
    process.kill();
    let process = site.start("fault_worker", &[("FAULT_HASTE", "1")]);
    drained(&process);
    process.terminate();
    let jobs = stored(&site);
    let crashed = jobs.values().filter(|job| attempts_crashed(job)).count();
    println!(
        "kill in the drain: 50 jobs, {crashed} were running, {} lost",
        jobs.values().filter(|job| !completed_once(job)).count()
    );
    assert!(jobs.len() == 50 && jobs.values().all(completed_once));
    assert!(crashed >= 25, "{crashed}");
}

fn attempts_crashed(job: &Job) -> bool {
    job.attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::Crashed)
}
