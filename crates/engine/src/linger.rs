//! Whether to stay awake for an answer that is about to come.
//!
//! A caller who submits one job and waits has the whole machine to himself, and a thread that sleeps meanwhile is woken
//! later than the disk answers: on a virtual machine that costs a third of a small commit. Where answers come fast
//! enough the loop that asked looks out for them, as kernels do for fast disks (hybrid polling). ADR 8.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

/// What is stayed awake for, and how long at most.
const LIMIT: Duration = Duration::from_micros(250);

pub(crate) struct Linger {
    /// On a runtime of one thread nobody else would do anything meanwhile, and one of two has an answer from elsewhere to
    /// read.
    allowed: bool,
    /// How long the last lone caller's turn took.
    took: Duration,
    limit: Duration,
}

impl Linger {
    /// Goes by the runtime that it is called on, and by whether answers come `in_process`.
    pub(crate) fn new(in_process: bool) -> Self {
        let many_threads = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        Self { allowed: in_process && many_threads, took: Duration::ZERO, limit: LIMIT }
    }

    /// Notes how long a lone caller's turn took.
    pub(crate) fn note(&mut self, took: Duration) {
        self.took = took;
    }

    /// Asks for the answer again and again, until there is one, it takes too long, or `others` wait for this thread.
    pub(crate) fn until<T>(&self, mut answer: impl FnMut() -> Option<T>, others: impl Fn() -> bool) -> Option<T> {
        if !self.allowed || self.took > self.limit {
            return None;
        }
        let began = Instant::now();
        while began.elapsed() < self.limit && !others() {
            if let Some(answer) = answer() {
                return Some(answer);
            }
            std::thread::yield_now();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patient enough for a machine that has other things to do than this test.
    fn patient() -> Linger {
        Linger { limit: Duration::from_secs(60), ..Linger::new(true) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_comes_soon_is_waited_for() {
        let mut asked = 0;
        let answer = || {
            asked += 1;
            (asked == 3).then_some("here")
        };
        assert_eq!(patient().until(answer, || false), Some("here"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_stays_awake_for_a_slow_store_or_while_others_wait() {
        let mut linger = Linger::new(true);
        assert_eq!(linger.until(|| Some(()), || true), None);
        assert_eq!(linger.until(|| None::<()>, || false), None);
        linger.note(LIMIT * 2);
        assert_eq!(linger.until(|| Some(()), || false), None);
        let mut linger = patient();
        linger.note(linger.limit);
        assert_eq!(linger.until(|| Some(()), || false), Some(()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_stays_awake_for_an_answer_from_elsewhere() {
        assert_eq!(Linger::new(false).until(|| Some(()), || false), None);
    }

    #[tokio::test]
    async fn the_only_thread_of_a_runtime_is_never_kept() {
        assert_eq!(Linger::new(true).until(|| Some(()), || false), None);
    }
}
