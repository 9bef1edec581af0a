//! T7: a job that kills its process every time is given up after three deaths, and the others do not pay for it.
#![cfg(unix)]

mod process;

use windlass::core::{AttemptOutcome, Job, JobError, Status};

use process::jobs::{attempts, completed_once, drained, stored, submit, submit_all};
use process::{PATIENCE, Process, Settings, Site, alone, until};

const OTHERS: u64 = 1_000;
const SETTINGS: Settings<'_> = &[("WINDLASS_LEASE", "2s"), ("WINDLASS_MAX_CONCURRENCY", "32")];

/// The number of the poison job: in the middle of the line, so that others run beside it whenever it does.
const POISON: u64 = 500;

/// Starts the process again each time it dies, as a supervisor does, until everything has finished. Gives the deaths.
fn supervise(site: &Site, mut process: Process) -> usize {
    let mut deaths = 0;
    loop {
        let died = until("it dies or has finished", PATIENCE, || match process.ended() {
            Some(status) => Some(Some(status)),
            None => is_drained(&process).then_some(None),
        });
        let Some(status) = died else { break };
        assert!(!status.success(), "it was killed by its job");
        deaths += 1;
        assert!(deaths <= 10, "the poison job is never given up");
        process = site.start("fault_worker", SETTINGS);
    }
    process.terminate();
    deaths
}

/// Like [`drained`], of a process that may die any moment.
fn is_drained(process: &Process) -> bool {
    let answer = process.connect().and_then(|mut client| client.send("GET", "/counts", &[], b""));
    let Ok(answer) = answer else { return false };
    let Ok(counts) = serde_json::from_slice::<serde_json::Value>(&answer.body) else { return false };
    ["Queued", "Scheduled", "InProgress"].iter().all(|status| counts[status].as_u64().unwrap_or(0) == 0)
}

#[test]
fn fault_a_poison_job_is_given_up_after_three_crashes_and_the_others_complete() {
    let _alone = alone();
    let site = Site::new();
    // Submitted to a process that does not work, so that all of them wait when the first one that works starts.
    let quiet = site.start("fault_worker", &[("WINDLASS_WORK", "false")]);
    submit_all(&quiet, "/count", (0..POISON).map(|number| (number, number % 7 * 3)));
    let poisoned = submit(&mut quiet.connect().expect("it listens"), "/poison", POISON, 0).expect("an answer");
    assert_eq!(poisoned.status, 202);
    submit_all(&quiet, "/count", (POISON + 1..=OTHERS).map(|number| (number, number % 7 * 3)));
    quiet.terminate();

    let deaths = supervise(&site, site.start("fault_worker", SETTINGS));
    let mut jobs = stored(&site);
    let poison = jobs.remove(&POISON).expect("it was acknowledged");
    let completed = jobs.values().filter(|job| completed_once(job)).count();
    let bystanders = jobs.values().filter(|job| job.crashes > 0).count();
    println!(
        "poison: given up after {deaths} deaths as {}; {completed} of {OTHERS} others completed, {bystanders} of them \
         after a crash beside it",
        poison.error.as_ref().map_or("nothing", |error| &error.code),
    );
    assert_eq!(deaths, 3);
    assert_is_quarantined(&poison);
    assert_eq!(site.journal().0[&POISON].len(), 3, "it ran three times and no more");
    assert_eq!((jobs.len(), completed), (OTHERS as usize, OTHERS as usize));
    assert!(bystanders > 0, "others ran beside it");
}

fn assert_is_quarantined(poison: &Job) {
    assert_eq!((poison.status, poison.crashes, poison.retries), (Status::Failed, 3, 0));
    assert_eq!(poison.error.as_ref().map(|error| &*error.code), Some(JobError::POISONED));
    assert_eq!((poison.attempts.len(), attempts(poison, AttemptOutcome::Crashed)), (3, 3));
}

/// Failing is not crashing: a handler that panics and then fails leaves its process alone, and is counted apart.
#[test]
fn a_job_that_panics_and_fails_kills_nobody() {
    let site = Site::new();
    let process = site.start("fault_worker", &[("WINDLASS_RETRY_DELAY_BASE", "10ms")]);
    submit_all(&process, "/trip", [(0, 0)]);
    submit_all(&process, "/count", [(1, 0)]);
    drained(&process);
    process.terminate();
    let jobs = stored(&site);
    assert_eq!((jobs[&0].status, jobs[&0].crashes, jobs[&0].retries), (Status::Failed, 0, 1));
    let codes: Vec<&str> =
        jobs[&0].attempts.iter().filter_map(|attempt| attempt.error.as_ref().map(|error| &*error.code)).collect();
    assert_eq!(codes, [JobError::PANIC, JobError::HANDLER]);
    assert!(completed_once(&jobs[&1]));
}
