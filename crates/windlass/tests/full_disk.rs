//! T16: on a full disk submissions are refused, running jobs are still settled, nothing acknowledged is lost, and work
//! goes on by itself when there is room again. Needs the right to mount a tmpfs; without it the test says so and ends.
#![cfg(unix)]

mod process;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use process::client::{Answer, Client};
use process::jobs::{completed_once, drained, id, look, stored, submit, submit_all};
use process::{PATIENCE, Process, Settings, Site, alone, until};

const BALLAST_BYTES: usize = 6 << 20;
const SETTINGS: Settings<'_> = &[("WINDLASS_MAX_CONCURRENCY", "32"), ("WINDLASS_LEASE", "5s")];
const CALLERS: usize = 8;
/// The jobs that run while the disk fills up.
const RUNNING: u64 = 16;

/// A small disk, with something on it that can be removed later.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Result<Self, String> {
        fs::create_dir(&path).map_err(|error| error.to_string())?;
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&path).output();
        let mount = mount.map_err(|error| format!("mount: {error}"))?;
        if !mount.status.success() {
            return Err(String::from_utf8_lossy(&mount.stderr).trim().to_owned());
        }
        let disk = Self(path);
        fs::write(disk.ballast(), vec![0; BALLAST_BYTES]).expect("room for the ballast");
        Ok(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a process that has not quite gone yet does not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Submits one job of some 30 KiB.
fn submit_large(client: &mut Client, number: u64) -> Answer {
    let body = format!(r#"{{"number":{number},"ballast":"{}"}}"#, "x".repeat(30_000));
    let id = id(number);
    let headers = [("Content-Type", "application/json"), ("X-Async-Request-Id", id.as_str())];
    client.send("POST", "/count", &headers, body.as_bytes()).expect("an answer, and no broken connection")
}

/// What a caller heard.
#[derive(Default)]
struct Heard {
    acked: BTreeSet<u64>,
    refused: Vec<Answer>,
}

/// A caller that submits large jobs without pause until `over`, whatever it hears.
fn press(process: &Process, first: u64, heard: &Mutex<Heard>, over: &AtomicBool) {
    let mut client = process.connect().expect("it listens");
    for number in (first..).step_by(CALLERS) {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let answer = submit_large(&mut client, number);
        let mut heard = heard.lock().expect("no caller failed");
        match answer.status {
            202 => drop(heard.acked.insert(number)),
            _ => heard.refused.push(answer),
        }
    }
}

#[test]
fn fault_a_full_disk_refuses_submissions_and_loses_nothing() {
    let _alone = alone();
    let site = Site::new();
    let disk = match SmallDisk::mount(site.data()) {
        Ok(disk) => disk,
        Err(reason) => return println!("full disk: SKIPPED, a tmpfs cannot be mounted here: {reason}"),
    };
    let process = site.start("fault_worker", SETTINGS);
    submit_all(&process, "/count", (0..RUNNING).map(|number| (number, 4_000)));
    site.journal_when("they run", |journal| journal.started() == RUNNING as usize);

    let mut heard = under_pressure(&process, &disk);
    heard.acked.extend(0..RUNNING);
    heard.refused.iter().for_each(assert_says_try_later);
    let resumed = make_room(&process, &disk, &mut heard.acked);
    drained(&process);
    process.kill();
    let jobs = stored(&site);
    let lost = heard.acked.iter().filter(|number| !jobs.get(number).is_some_and(completed_once)).count();
    let crashed = jobs.values().filter(|job| job.crashes > 0).count();
    println!(
        "full disk: {} acked, {lost} lost, {} refused with 503, {RUNNING} running jobs settled while it was full, \
         {crashed} leases lost, submissions taken again {resumed:?} after there was room",
        heard.acked.len(),
        heard.refused.len(),
    );
    assert_eq!((lost, crashed), (0, 0));
    assert!(resumed <= Duration::from_secs(5), "{resumed:?}");
    assert!(jobs.keys().all(|number| heard.acked.contains(number)), "what was refused is not there");
}

/// Callers press on until the disk is full and the jobs that ran meanwhile are settled: on the room kept for them, with
/// new submissions coming and being refused all the time.
fn under_pressure(process: &Process, disk: &SmallDisk) -> Heard {
    let (heard, over) = (Mutex::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let _over = OnDrop(&over);
        for caller in 0..CALLERS as u64 {
            let (heard, over) = (&heard, &over);
            scope.spawn(move || press(process, RUNNING + caller, heard, over));
        }
        until("the disk is full", PATIENCE, || (heard.lock().expect("whole").refused.len() >= 20).then_some(()));
        until("running jobs are settled on a full disk", PATIENCE, || {
            (0..RUNNING).all(|number| look(process, number)["status"] == "Completed").then_some(())
        });
    });
    assert!(disk.ballast().exists(), "nobody made room");
    assert_eq!(submit_large(&mut process.connect().expect("it listens"), 1_000_000).status, 503, "it is still full");
    assert_eq!(process.get("/health/live").status, 200);
    heard.into_inner().expect("whole")
}

/// Sends the callers home, also when the test fails.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn assert_says_try_later(answer: &Answer) {
    answer.must_be_problem(503, "store_unavailable");
    let seconds: u64 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(!answer.text().contains("sql") && !answer.text().contains(&*std::env::temp_dir().to_string_lossy()));
}

/// Gives how long it took until a submission was taken again.
fn make_room(process: &Process, disk: &SmallDisk, acked: &mut BTreeSet<u64>) -> Duration {
    let mut client = process.connect().expect("it listens");
    fs::remove_file(disk.ballast()).expect("it is there");
    let since = Instant::now();
    until("submissions are taken again", PATIENCE, || {
        (submit(&mut client, "/count", 2_000_000, 0).expect("an answer").status == 202).then_some(())
    });
    let resumed = since.elapsed();
    submit_all(process, "/count", (2_000_001..2_000_020).map(|number| (number, 0)));
    acked.extend(2_000_000..2_000_020);
    resumed
}
