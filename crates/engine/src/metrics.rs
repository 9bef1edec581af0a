//! Every metric, in one table. Windlass emits through the [`metrics`] facade; the application chooses the exporter
//! and installs it before the engine starts.
//!
//! | name | kind | unit | labels | meaning |
//! |---|---|---|---|---|
//! | `windlass_jobs_submitted_total` | counter | jobs | `store`, `outcome` = `created`, `existing`, `conflict`, `queue_full`, `owner_full`, `over_rate`, `duplicate`, `replaced` | submissions answered by the store |
//! | `windlass_jobs_settled_total` | counter | attempts | `store`, `status` = the status the job got | settlements accepted |
//! | `windlass_leases_lost_total` | counter | attempts | `store` | settlements and extensions refused because the lease was lost |
//! | `windlass_jobs_unknown_total` | counter | jobs | `store` | claimed jobs without a handler in this process, given back |
//! | `windlass_attempt_seconds` | histogram | seconds | `job` | time a handler ran |
//! | `windlass_wait_seconds` | histogram | seconds | `job` | time from acceptance to the start of an attempt, by the store's clock |
//! | `windlass_running` | gauge | attempts | | leases this process holds |
//! | `windlass_concurrency` | gauge | attempts | | how many may run at the same time: set, or found out |
//! | `windlass_exchange_seconds` | histogram | seconds | `store` | one round trip to the store |
//! | `windlass_exchange_items` | histogram | items | `store` | settlements, submissions and claimed jobs in one round trip |
//! | `windlass_store_errors_total` | counter | calls | `store`, `verb` = `exchange`, `extend`, `sweep`, `schedules` | failed calls |
//! | `windlass_swept_total` | counter | jobs | `store`, `what` = `promoted`, `reclaimed`, `quarantined`, `stopped`, `expired`, `pruned` | what sweeps did |
//! | `windlass_ticks_total` | counter | jobs | `store` | jobs that this process submitted for ticks of schedules |
//! | `windlass_breaker_open` | gauge | | `job` | 1 while the breaker of the handler is open or a few attempts probe, as far as this process knows; else 0 |
//! | `windlass_breaker_opened_total` | counter | times | `job` | how often this process opened it, after failed probes too |
//! | `windlass_stuck_attempts_total` | counter | attempts | `store` | attempts given up because the handler did not let go after its time limit |

use std::time::Duration;

use foldhash::HashMap;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use windlass_core::{JobName, Status};
use windlass_store::{SubmitOutcome, Submitted, Swept};

/// Handles on every metric, looked up once so that counting costs no lookup.
pub(crate) struct Metrics {
    created: Counter,
    existing: Counter,
    conflict: Counter,
    queue_full: Counter,
    owner_full: Counter,
    over_rate: Counter,
    duplicate: Counter,
    replaced: Counter,
    settled: [Counter; 6],
    pub(crate) leases_lost: Counter,
    pub(crate) unknown: Counter,
    pub(crate) stuck: Counter,
    pub(crate) running: Gauge,
    pub(crate) concurrency: Gauge,
    exchange_seconds: Histogram,
    exchange_items: Histogram,
    pub(crate) exchange_errors: Counter,
    pub(crate) extend_errors: Counter,
    pub(crate) sweep_errors: Counter,
    pub(crate) schedule_errors: Counter,
    pub(crate) ticks: Counter,
    swept: [Counter; 6],
    handlers: HashMap<JobName, HandlerMetrics>,
}

struct HandlerMetrics {
    attempt_seconds: Histogram,
    wait_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new<'a>(store: &'static str, handlers: impl Iterator<Item = &'a JobName>) -> Self {
        let submitted = |outcome| counter!("windlass_jobs_submitted_total", "store" => store, "outcome" => outcome);
        let errors = |verb| counter!("windlass_store_errors_total", "store" => store, "verb" => verb);
        let swept = |what| counter!("windlass_swept_total", "store" => store, "what" => what);
        let settled =
            |status: Status| counter!("windlass_jobs_settled_total", "store" => store, "status" => status.as_str());
        Self {
            created: submitted("created"),
            existing: submitted("existing"),
            conflict: submitted("conflict"),
            queue_full: submitted("queue_full"),
            owner_full: submitted("owner_full"),
            over_rate: submitted("over_rate"),
            duplicate: submitted("duplicate"),
            replaced: submitted("replaced"),
            settled: Status::ALL.map(settled),
            leases_lost: counter!("windlass_leases_lost_total", "store" => store),
            unknown: counter!("windlass_jobs_unknown_total", "store" => store),
            stuck: counter!("windlass_stuck_attempts_total", "store" => store),
            running: gauge!("windlass_running"),
            concurrency: gauge!("windlass_concurrency"),
            exchange_seconds: histogram!("windlass_exchange_seconds", "store" => store),
            exchange_items: histogram!("windlass_exchange_items", "store" => store),
            exchange_errors: errors("exchange"),
            extend_errors: errors("extend"),
            sweep_errors: errors("sweep"),
            schedule_errors: errors("schedules"),
            ticks: counter!("windlass_ticks_total", "store" => store),
            swept: ["promoted", "reclaimed", "quarantined", "stopped", "expired", "pruned"].map(swept),
            handlers: handlers.map(|name| (name.clone(), HandlerMetrics::new(name))).collect(),
        }
    }

    pub(crate) fn submitted(&self, answers: &[Submitted]) {
        for answer in answers {
            match answer.outcome {
                SubmitOutcome::Created(_) => self.created.increment(1),
                SubmitOutcome::Existing => self.existing.increment(1),
                SubmitOutcome::Conflict => self.conflict.increment(1),
                SubmitOutcome::QueueFull => self.queue_full.increment(1),
                SubmitOutcome::OwnerFull => self.owner_full.increment(1),
                SubmitOutcome::OverRate { .. } => self.over_rate.increment(1),
                SubmitOutcome::Duplicate => self.duplicate.increment(1),
                SubmitOutcome::Replaced(_) => self.replaced.increment(1),
            }
        }
    }

    pub(crate) fn settled(&self, status: Status) {
        self.settled[usize::from(status.code()) - 1].increment(1);
    }

    pub(crate) fn exchanged(&self, took: Duration, items: usize) {
        self.exchange_seconds.record(took.as_secs_f64());
        self.exchange_items.record(items as f64);
    }

    pub(crate) fn attempted(&self, name: &JobName, waited: Duration, took: Duration) {
        if let Some(handler) = self.handlers.get(name) {
            handler.wait_seconds.record(waited.as_secs_f64());
            handler.attempt_seconds.record(took.as_secs_f64());
        }
    }

    pub(crate) fn swept(&self, swept: &Swept) {
        let counts = [swept.promoted, swept.reclaimed, swept.quarantined, swept.stopped, swept.expired, swept.pruned];
        for (counter, count) in self.swept.iter().zip(counts) {
            counter.increment(count as u64);
        }
    }
}

/// What is told of one handler's breaker.
pub(crate) struct BreakerMetrics {
    pub(crate) open: Gauge,
    pub(crate) opened: Counter,
}

impl BreakerMetrics {
    pub(crate) fn new(name: &JobName) -> Self {
        let job = name.to_string();
        let open = gauge!("windlass_breaker_open", "job" => job.clone());
        open.set(0.0);
        Self { open, opened: counter!("windlass_breaker_opened_total", "job" => job) }
    }
}

impl HandlerMetrics {
    fn new(name: &JobName) -> Self {
        let job = name.to_string();
        Self {
            attempt_seconds: histogram!("windlass_attempt_seconds", "job" => job.clone()),
            wait_seconds: histogram!("windlass_wait_seconds", "job" => job),
        }
    }
}
