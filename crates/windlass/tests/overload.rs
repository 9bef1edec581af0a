//! T37: with many times more submissions than the workers can do, the queue's limit holds, refusals are quick and say
//! when to come back, and everything accepted is done.
#![cfg(unix)]

mod process;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use process::jobs::{completed_once, drained, stored, submit};
use process::{PATIENCE, Process, Settings, Site, alone, until};

const CALLERS: usize = 24;
const SPAN: Duration = Duration::from_secs(6);
const QUEUE: u64 = 500;
/// Eight slots and jobs of 20 ms: 400 jobs a second at most, of which the callers offer many times more.
const SETTINGS: Settings<'_> =
    &[("WINDLASS_MAX_QUEUE_SIZE", "500"), ("WINDLASS_MAX_CONCURRENCY", "8"), ("RUST_LOG", "error,windlass_http=info")];

#[derive(Default)]
struct Load {
    next: AtomicU64,
    acked: Mutex<Vec<u64>>,
    refusals: Mutex<Vec<Duration>>,
}

impl Load {
    /// One caller that never lets up.
    fn call(&self, process: &Process) {
        let (mut acked, mut refusals) = (Vec::new(), Vec::new());
        let mut client = process.connect().expect("it listens");
        let since = Instant::now();
        while since.elapsed() < SPAN {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let sent = Instant::now();
            let answer = submit(&mut client, "/count", number, 20).expect("an answer");
            if answer.status == 202 {
                acked.push(number);
                continue;
            }
            refusals.push(sent.elapsed());
            answer.must_be_problem(503, "queue_full");
            let seconds: u64 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("whole seconds");
            assert!((1..=60).contains(&seconds));
        }
        self.acked.lock().expect("no caller failed").append(&mut acked);
        self.refusals.lock().expect("no caller failed").append(&mut refusals);
    }
}

#[test]
fn fault_overload_is_refused_quickly_and_what_is_accepted_is_done() {
    let _alone = alone();
    let site = Site::new();
    let process = site.start("fault_worker", SETTINGS);
    let before = process.memory_kib();
    let load = Load::default();
    std::thread::scope(|scope| (0..CALLERS).for_each(|_| drop(scope.spawn(|| load.call(&process)))));
    let stopped = Instant::now();
    let mut client = process.connect().expect("it listens");
    until("it takes jobs again", PATIENCE, || {
        (submit(&mut client, "/count", u64::from(u32::MAX), 0).expect("an answer").status == 202).then_some(())
    });
    let recovered = stopped.elapsed();
    let grown = process.memory_kib().saturating_sub(before) >> 10;
    drained(&process);
    process.terminate();

    let (acked, mut refusals) = (load.acked.into_inner().expect("whole"), load.refusals.into_inner().expect("whole"));
    refusals.sort_unstable();
    let p99 = refusals[refusals.len() * 99 / 100];
    let jobs = stored(&site);
    let lost = acked.iter().filter(|number| !jobs.get(number).is_some_and(completed_once)).count();
    println!(
        "overload: {} accepted, {lost} lost, {} refused, p99 of a refusal {p99:?}, {grown} MiB grown, {recovered:?} to \
         take jobs again",
        acked.len(),
        refusals.len(),
    );
    assert_eq!((lost, jobs.len()), (0, acked.len() + 1), "what was refused is not there");
    // Each accepted job beyond the queue's size needed another one to be done first.
    assert!(acked.len() as u64 > QUEUE && refusals.len() > acked.len(), "it was overloaded, and worked on");
    assert!(grown < 64 && recovered < Duration::from_secs(5));
    // 50 ms on a machine of its own; here 24 callers and the process share two cores without optimisation.
    assert!(p99 < Duration::from_millis(200), "{p99:?}");
}
