//! Whether to stay awake for an answer that is about to come.
//!
//! A caller who submits one job and waits has the whole machine to himself, and a thread that sleeps meanwhile is woken
//! later than the answer comes: on a virtual machine that costs a third of a small commit, or of a round trip. Where
//! answers come fast enough the loop that asked looks out for them, as kernels do for fast disks (hybrid polling). ADR 8.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

/// What is stayed awake for, and how long at most.
const LIMIT: Duration = Duration::from_micros(250);

/// What is done between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Between {
    /// Any other thread that can run is let run, for an answer that one of them gives.
    Threads,
    /// The runtime is let run, for an answer over a socket that it reads.
    Runtime,
}

pub(crate) struct Linger {
    /// `None` where nobody stays awake at all.
    between: Option<Between>,
    /// How long the last lone caller's turn took.
    took: Duration,
    limit: Duration,
}

impl Linger {
    /// Goes by the runtime that it is called on, and by whether answers come `in_process`.
    pub(crate) fn new(in_process: bool) -> Self {
        let many_threads = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        let many_cores = available_parallelism().map_or(1, NonZero::get) > 1;
        Self { between: Between::of(in_process, many_threads, many_cores), took: Duration::ZERO, limit: LIMIT }
    }

    /// Notes how long a lone caller's turn took.
    pub(crate) fn note(&mut self, took: Duration) {
        self.took = took;
    }

    /// Asks for the answer again and again, until there is one, it takes too long, or `others` wait for this loop.
    pub(crate) async fn until<T>(&self, mut answer: impl FnMut() -> Option<T>, others: impl Fn() -> bool) -> Option<T> {
        let between = self.between.filter(|_| self.took <= self.limit)?;
        let began = Instant::now();
        while began.elapsed() < self.limit && !others() {
            if let Some(answer) = answer() {
                return Some(answer);
            }
            match between {
                Between::Threads => std::thread::yield_now(),
                Between::Runtime => tokio::task::yield_now().await,
            }
        }
        None
    }
}

impl Between {
    /// The only thread of a runtime is never kept from its other tasks, and on the only processor of a machine, whoever
    /// stays awake keeps the one who answers from running.
    fn of(in_process: bool, many_threads: bool, many_cores: bool) -> Option<Self> {
        match in_process {
            _ if !many_cores => None,
            true => many_threads.then_some(Self::Threads),
            false => Some(Self::Runtime),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patient enough for a machine that has other things to do than this test.
    fn patient(between: Between) -> Linger {
        Linger { between: Some(between), took: Duration::ZERO, limit: Duration::from_secs(60) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_comes_soon_is_waited_for() {
        for between in [Between::Threads, Between::Runtime] {
            let mut asked = 0;
            let answer = || {
                asked += 1;
                (asked == 3).then_some("here")
            };
            assert_eq!(patient(between).until(answer, || false).await, Some("here"));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_stays_awake_for_a_slow_store_or_while_others_wait() {
        let mut linger = patient(Between::Threads);
        assert_eq!(linger.until(|| Some(()), || true).await, None);
        linger.note(linger.limit);
        assert_eq!(linger.until(|| Some(()), || false).await, Some(()));
        linger.note(linger.limit * 2);
        assert_eq!(linger.until(|| Some(()), || false).await, None);
        linger = Linger { limit: LIMIT, ..patient(Between::Threads) };
        assert_eq!(linger.until(|| None::<()>, || false).await, None);
    }

    /// On a runtime of one thread the answer is another task's work, as a socket's is the runtime's.
    #[tokio::test]
    async fn an_answer_over_a_socket_is_read_meanwhile() {
        let (answer, mut answered) = tokio::sync::oneshot::channel();
        tokio::spawn(async move { answer.send("here") });
        assert_eq!(patient(Between::Runtime).until(|| answered.try_recv().ok(), || false).await, Some("here"));
    }

    #[test]
    fn the_only_thread_or_processor_is_never_kept() {
        assert_eq!(Between::of(true, false, true), None);
        assert_eq!(Between::of(true, true, false), None);
        assert_eq!(Between::of(false, true, false), None);
        assert_eq!(Between::of(true, true, true), Some(Between::Threads));
        assert_eq!(Between::of(false, false, true), Some(Between::Runtime));
    }
}
