//! What an operator or an autoscaler wants to know of each queue: [`Engine::signals`](crate::Engine::signals).
//!
//! Jobs are counted by the store, over all processes. How long attempts take is known of this process; that others are no
//! faster or slower is assumed. What follows from both by Little's law, rates and the number of workers, is an estimate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use windlass_core::{QueueName, Status};
use windlass_store::{Counts, Query};

use crate::traffic::{Ended, Traffic};

/// Rates are of the time since the oldest reading that is no older than this.
const WINDOW: Duration = Duration::from_secs(60);
/// Readings that are closer to each other than this say nothing about rates.
const APART_MIN: Duration = Duration::from_secs(1);
/// In what time the jobs that wait now are to be worked off.
const CATCH_UP: Duration = Duration::from_secs(60);

/// One queue, over all processes that work for it. Serialises for autoscalers (KEDA's `metrics-api`, say).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueSignals {
    /// The queue.
    pub queue: QueueName,
    /// Jobs that are ready and wait for a worker.
    pub waiting: u64,
    /// For how long the job that has been ready longest has waited, by the store's clock: a delayed job and a retry from when
    /// the store found them due. In a paused queue it grows. Never more than it is; it is less where many jobs that came back
    /// stand before the oldest (see [`Query::oldest_waiting`]). Zero where none waits. A number of seconds where it is serialised.
    ///
    /// [`Query::oldest_waiting`]: windlass_store::Query::oldest_waiting
    #[serde(serialize_with = "seconds")]
    pub oldest_waiting: Duration,
    /// Jobs that a worker has.
    pub running: u64,
    /// Attempts that became ready in a second, retries and delayed jobs included: what ended and by how much the queue grew.
    /// `None` until the second reading, and where this process has seen no attempt end in the last minute.
    pub arrival_rate: Option<f64>,
    /// Attempts that ended in a second: those that run, by the time that they take, and what this process ended at least.
    /// `None` as above.
    pub service_rate: Option<f64>,
    /// How many processes with as many slots as this one keep up with what arrives, and work off what waits within a
    /// minute. 0 where nothing waits or runs; 1 at least otherwise, and where rates are not known.
    pub wanted_workers: u64,
}

fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

/// What a store knows at one time: how many jobs there are, and for how long the oldest of each queue has waited.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) counts: Counts,
    pub(crate) waits: BTreeMap<QueueName, Duration>,
}

impl Backlog {
    /// Asks a store. Queues in which nothing waits are not asked for.
    pub(crate) async fn of(query: &dyn Query) -> windlass_store::Result<Self> {
        let counts = query.counts().await?;
        let waiting = counts.0.iter().filter(|((_, status), count)| *status == Status::Queued && **count > 0);
        let queues: Vec<QueueName> = waiting.map(|((queue, _), _)| queue.clone()).collect();
        let waits = if queues.is_empty() { Vec::new() } else { query.oldest_waiting(&queues).await? };
        // One that has begun to run meanwhile waits no more.
        let waits = queues.into_iter().zip(waits).filter_map(|(queue, wait)| Some((queue, wait?)));
        Ok(Self { counts, waits: waits.collect() })
    }
}

/// What was known of one queue at one time.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    waiting: u64,
    oldest_waiting: Duration,
    running: u64,
    ended: Ended,
}

/// All queues at one time.
#[derive(Debug)]
struct Reading {
    at: Instant,
    levels: BTreeMap<QueueName, Level>,
}

/// The readings of the last minute, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Readings(Mutex<VecDeque<Reading>>);

impl Readings {
    /// Adds what is known at `now`, and says what follows from it and from what was known before.
    pub(crate) fn add(
        &self,
        now: Instant,
        backlog: &Backlog,
        traffic: &Traffic,
        served: &[QueueName],
        slots: usize,
    ) -> Vec<QueueSignals> {
        let Backlog { counts, waits } = backlog;
        let queues: BTreeSet<_> = counts.0.keys().map(|(queue, _)| queue).chain(served).collect();
        let level = |queue: &QueueName| Level {
            waiting: counts.get(queue, Status::Queued),
            oldest_waiting: waits.get(queue).copied().unwrap_or_default(),
            running: counts.get(queue, Status::InProgress),
            ended: traffic.ended(queue),
        };
        let levels = queues.into_iter().map(|queue| (queue.clone(), level(queue))).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|reading| now.duration_since(reading.at) <= WINDOW);
        let reading = Reading { at: now, levels };
        let signals = reading.signals(all.make_contiguous(), slots);
        if all.back().is_none_or(|last| now.duration_since(last.at) >= APART_MIN) {
            all.push_back(reading);
        }
        signals
    }
}

impl Reading {
    fn signals(&self, before: &[Self], slots: usize) -> Vec<QueueSignals> {
        let signals = self.levels.iter().map(|(queue, level)| {
            let course = Course::of(queue, *level, self.at, before);
            let (service_rate, arrival_rate) = course.map(|course| (course.service(), course.arrival())).unzip();
            QueueSignals {
                queue: queue.clone(),
                waiting: level.waiting,
                oldest_waiting: level.oldest_waiting,
                running: level.running,
                arrival_rate,
                service_rate,
                wanted_workers: match level.waiting + level.running {
                    0 => 0,
                    _ => course.map_or(1, |course| course.workers(slots)),
                },
            }
        });
        signals.collect()
    }
}

/// One queue over some time.
#[derive(Clone, Copy, Debug)]
struct Course {
    seconds: f64,
    /// By how much the jobs that wait or run became more.
    grown: f64,
    waiting: f64,
    /// On average of the readings.
    running: f64,
    ended: f64,
    /// How long a handler ran, and how long its job was held, on average.
    ran: f64,
    held: f64,
}

impl Course {
    /// `None` where the readings are too few or too close, or nothing has ended here between them.
    fn of(queue: &QueueName, level: Level, now: Instant, before: &[Reading]) -> Option<Self> {
        let first = before.first()?;
        let apart = now.duration_since(first.at);
        let past = |reading: &Reading| reading.levels.get(queue).copied().unwrap_or_default();
        let from = past(first);
        let ended = level.ended.attempts.checked_sub(from.ended.attempts).filter(|ended| *ended > 0)? as f64;
        let each = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64() / ended;
        let running: u64 = before.iter().map(|reading| past(reading).running).sum();
        (apart >= APART_MIN).then(|| Self {
            seconds: apart.as_secs_f64(),
            grown: (level.waiting + level.running) as f64 - (from.waiting + from.running) as f64,
            waiting: level.waiting as f64,
            running: (running + level.running) as f64 / (before.len() + 1) as f64,
            ended,
            ran: each(level.ended.ran, from.ended.ran),
            held: each(level.ended.held, from.ended.held),
        })
    }

    /// Little's law: so many run, each for so long.
    fn service(&self) -> f64 {
        let everywhere = if self.held > 0.0 { self.running / self.held } else { 0.0 };
        everywhere.max(self.ended / self.seconds)
    }

    fn arrival(&self) -> f64 {
        (self.service() + self.grown / self.seconds).max(0.0)
    }

    /// The slots that are busy with what arrives, and those that work off what waits.
    fn workers(&self, slots: usize) -> u64 {
        let busy = (self.arrival() + self.waiting / CATCH_UP.as_secs_f64()) * self.ran;
        (busy / slots as f64).ceil().max(1.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backlog(waiting: u64, running: u64) -> Backlog {
        let cells = [(Status::Queued, waiting), (Status::InProgress, running)];
        let counts = Counts(cells.map(|(status, count)| ((QueueName::default(), status), count)).into());
        Backlog { counts, ..Backlog::default() }
    }

    /// Attempts of a second each, on four slots here, and what the store counts ten seconds later.
    fn after_ten_seconds(ended: u32, from: (u64, u64), to: (u64, u64)) -> QueueSignals {
        let (queues, start) = ([QueueName::default()], Instant::now());
        let (traffic, readings) = (Traffic::of(&queues), Readings::default());
        let first = readings.add(start, &backlog(from.0, from.1), &traffic, &queues, 4);
        assert_eq!((first[0].arrival_rate, first[0].service_rate), (None, None));
        (0..ended).for_each(|_| traffic.note(&queues[0], SECOND, SECOND));
        readings.add(start + 10 * SECOND, &backlog(to.0, to.1), &traffic, &queues, 4).remove(0)
    }

    #[test]
    fn one_worker_that_keeps_up_is_enough() {
        let signals = after_ten_seconds(30, (0, 3), (0, 3));
        assert_eq!((signals.service_rate, signals.arrival_rate), (Some(3.0), Some(3.0)));
        assert_eq!((signals.waiting, signals.running, signals.wanted_workers), (0, 3, 1));
    }

    #[test]
    fn what_other_processes_do_counts_too() {
        let signals = after_ten_seconds(40, (0, 12), (0, 12));
        assert_eq!((signals.service_rate, signals.arrival_rate), (Some(12.0), Some(12.0)));
        assert_eq!(signals.wanted_workers, 3);
    }

    #[test]
    fn a_queue_that_grows_wants_workers_for_what_arrives_and_for_what_waits() {
        let signals = after_ten_seconds(40, (0, 4), (120, 4));
        assert_eq!((signals.service_rate, signals.arrival_rate), (Some(4.0), Some(16.0)));
        // 16 slots for what arrives, 2 for 120 jobs in a minute.
        assert_eq!(signals.wanted_workers, 5);
    }

    #[test]
    fn a_backlog_that_shrinks_wants_fewer() {
        let signals = after_ten_seconds(40, (40, 4), (0, 4));
        assert_eq!((signals.arrival_rate, signals.wanted_workers), (Some(0.0), 1));
    }

    #[test]
    fn nothing_is_said_of_what_nobody_has_seen() {
        let signals = after_ten_seconds(0, (0, 0), (0, 0));
        assert_eq!((signals.service_rate, signals.wanted_workers), (None, 0));
        let signals = after_ten_seconds(0, (0, 0), (7, 0));
        assert_eq!((signals.waiting, signals.arrival_rate, signals.wanted_workers), (7, None, 1));
    }

    #[test]
    fn readings_are_kept_for_a_minute() {
        let (queues, start) = ([QueueName::default()], Instant::now());
        let (traffic, readings) = (Traffic::of(&queues), Readings::default());
        for second in 0..600 {
            readings.add(start + second * SECOND / 2, &backlog(0, 0), &traffic, &queues, 4);
        }
        let kept = readings.0.lock().expect("whole").len();
        assert!((60..=62).contains(&kept), "{kept}");
    }
}
