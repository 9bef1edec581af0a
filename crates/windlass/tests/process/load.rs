//! Callers that submit without pause while processes come and go, and what may be said of the executions afterwards.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;
use std::time::Duration;

use windlass::core::{AttemptOutcome, Job};

use super::client::Client;
use super::jobs::submit;
use super::journal::Execution;
use super::{Process, Settings};

const CALLERS: usize = 24;

/// The kills are ours and not the jobs' fault, so no number of them makes a job suspicious here; `poison.rs` is about
/// the other case.
pub(crate) const SETTINGS: Settings<'_> = &[
    ("RUST_LOG", "error,windlass_http=info"),
    ("WINDLASS_LEASE", "2s"),
    ("WINDLASS_MAX_CONCURRENCY", "64"),
    ("WINDLASS_MAX_CRASHES", "1000"),
    ("WINDLASS_MAX_QUEUE_SIZE", "1000000"),
];

fn addresses(processes: &[&Process]) -> Vec<SocketAddr> {
    processes.iter().map(|process| process.address).collect()
}

/// Callers that submit without pause, whatever happens to the process.
pub(crate) struct Load {
    addresses: Mutex<Vec<SocketAddr>>,
    next: AtomicU64,
    acked: AtomicU64,
    sent_again: AtomicU64,
    /// No new numbers.
    over: AtomicBool,
    /// The test has failed: nobody will answer any more.
    hopeless: AtomicBool,
}

/// Sends the callers home when the test fails, so that it ends.
pub(crate) struct OnFailure<'a>(&'a Load);

impl Drop for OnFailure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.over.store(true, Ordering::SeqCst);
            self.0.hopeless.store(true, Ordering::SeqCst);
        }
    }
}

impl Load {
    pub(crate) fn new(processes: &[&Process]) -> Self {
        Self {
            addresses: Mutex::new(addresses(processes)),
            next: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            sent_again: AtomicU64::new(0),
            over: AtomicBool::new(false),
            hopeless: AtomicBool::new(false),
        }
    }

    /// Starts the callers. What it gives sends them home when the test fails, so that it ends.
    pub(crate) fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> OnFailure<'scope> {
        (0..CALLERS).for_each(|caller| drop(scope.spawn(move || self.call(caller))));
        OnFailure(self)
    }

    /// No new jobs from here on.
    pub(crate) fn stop(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Tells the callers which processes there are now.
    pub(crate) fn point_to(&self, processes: &[&Process]) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses(processes);
    }

    /// How many requests had no answer, or none that accepted the job, and were made again.
    pub(crate) fn sent_again(&self) -> u64 {
        self.sent_again.load(Ordering::SeqCst)
    }

    pub(crate) fn acked(&self) -> u64 {
        self.acked.load(Ordering::SeqCst)
    }

    /// One caller: takes numbers and stays with each until it is acknowledged. When the connection breaks it cannot
    /// know whether the job was stored, so it asks again under the same id.
    fn call(&self, caller: usize) {
        let mut client = None;
        while !self.over.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            while !self.is_accepted(caller, &mut client, number) {
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

    fn is_accepted(&self, caller: usize, client: &mut Option<Client>, number: u64) -> bool {
        if client.is_none() {
            let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *client = Client::connect(addresses[caller % addresses.len()]).ok();
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

/// Each execution but the last belongs to an attempt that the store saw crash, in a process that was killed; and none
/// begins after the job was completed.
pub(crate) fn repeated_only_in_flight(job: &Job, executions: &[Execution], killed: &[u32]) {
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
