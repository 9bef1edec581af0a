//! T1: `kill -9` at any moment loses no acknowledged job, and runs again only what was running.
#![cfg(unix)]

mod process;

use std::time::Duration;

use windlass::core::AttemptOutcome;

use process::jobs::{attempts, completed_once, drained, look, stored, submit_all};
use process::journal::now_micros;
use process::load::{Load, SETTINGS, repeated_only_in_flight};
use process::{Site, alone};

const KILLS: usize = 100;
const JOBS: u64 = 50_000;

/// Starts and kills processes under load until there have been enough kills and enough jobs, lets the last one finish
/// everything, and gives the killed ones and the load.
fn storm(site: &Site) -> (Vec<u32>, Load) {
    let mut process = site.start("fault_worker", SETTINGS);
    let load = Load::new(&[&process]);
    let mut killed = Vec::new();
    let process = std::thread::scope(|scope| {
        let _guard = load.start(scope);
        while killed.len() < KILLS || load.acked() < JOBS {
            assert!(killed.len() < 10 * KILLS, "the callers get nowhere: {} acknowledged", load.acked());
            // Not a wait for anything: this is the random moment of the kill.
            std::thread::sleep(Duration::from_millis(fastrand::u64(50..400)));
            killed.push(process.kill());
            process = site.start("fault_worker", SETTINGS);
            load.point_to(&[&process]);
        }
        load.stop();
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
        load.sent_again(),
    );
    assert_eq!(lost, 0);
    assert_eq!(jobs.len() as u64, load.acked(), "every job has its own caller");
    assert!(repeats > 0 && load.sent_again() > 0, "the kills came under load");
    jobs.iter().for_each(|(number, job)| repeated_only_in_flight(job, &journal.0[number], &killed));
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
