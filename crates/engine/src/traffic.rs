//! How many attempts of each queue ended in this process, and how long they took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use windlass_core::QueueName;

/// What has ended since the engine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) attempts: u64,
    /// How long handlers ran, all together.
    pub(crate) ran: Duration,
    /// How long the jobs were held, those that waited for a slot included.
    pub(crate) held: Duration,
}

/// The queues that this process serves.
#[derive(Debug)]
pub(crate) struct Traffic(Vec<(QueueName, Flow)>);

#[derive(Debug, Default)]
struct Flow {
    attempts: AtomicU64,
    ran_nanos: AtomicU64,
    held_nanos: AtomicU64,
}

impl Traffic {
    pub(crate) fn of(queues: &[QueueName]) -> Self {
        Self(queues.iter().map(|queue| (queue.clone(), Flow::default())).collect())
    }

    /// Notes that an attempt ended. A process serves few queues, so that looking through them is faster than hashing.
    pub(crate) fn note(&self, queue: &QueueName, ran: Duration, held: Duration) {
        if let Some(flow) = self.flow(queue) {
            flow.attempts.fetch_add(1, Ordering::Relaxed);
            flow.ran_nanos.fetch_add(ran.as_nanos() as u64, Ordering::Relaxed);
            flow.held_nanos.fetch_add(held.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// All that has ended of a queue.
    pub(crate) fn ended(&self, queue: &QueueName) -> Ended {
        let nanos = |count: &AtomicU64| Duration::from_nanos(count.load(Ordering::Relaxed));
        self.flow(queue).map_or_else(Ended::default, |flow| Ended {
            attempts: flow.attempts.load(Ordering::Relaxed),
            ran: nanos(&flow.ran_nanos),
            held: nanos(&flow.held_nanos),
        })
    }

    fn flow(&self, queue: &QueueName) -> Option<&Flow> {
        self.0.iter().find(|(name, _)| name == queue).map(|(_, flow)| flow)
    }
}
