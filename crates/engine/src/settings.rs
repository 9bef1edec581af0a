//! How the engine behaves: plain data. Defaults suit one machine; every value can be changed in code, and by the
//! façade from TOML and the environment. Durations read like `30s`, `2m` or `1h 30m`, or as ISO 8601, `PT1H30M` or
//! `P1DT2H`, where a day is 24 hours.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use windlass_core::limits::{DELAY_MAX, PAYLOAD_BYTES_DEFAULT, RESULT_BYTES_DEFAULT};
use windlass_core::{InvalidInput, JobName, QueueName, RetryPolicy, Share};

use crate::{duration, weights};

/// The engine's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether this process runs jobs. `false` makes it serve only. Default `true`.
    pub work: bool,
    /// The queues it serves, most important first: strictly, unless `queue_weights` is set. Default `["default"]`.
    pub queues: Vec<QueueName>,
    /// Has the queues take turns: while jobs wait in several, one of weight 3 has three starts in this process where one of
    /// weight 1 has one, and what a queue does not use goes to the others. From 1 to 1000; those that are not named here weigh
    /// 1. Also written as a list of `mail=3`. Default: not set, in the order of `queues`.
    #[serde(deserialize_with = "weights::deserialize")]
    pub queue_weights: Option<BTreeMap<QueueName, u32>>,
    /// The handlers whose jobs it takes from those queues: the others' keep their places for processes that serve them, and hold up
    /// nobody here. Each must be a handler of this process. Default: not set, all jobs of the queues.
    pub handlers: Option<Vec<JobName>>,
    /// Attempts that run at the same time. Default 4 × cores.
    pub max_concurrency: usize,
    /// Has the engine find out how many attempts to run at the same time, from how long they take and how many fail:
    /// never fewer than this, 1 at least, and never more than `max_concurrency`. Default: not set, always
    /// `max_concurrency`. The method is Envoy's (adaptive concurrency, gradient controller).
    pub min_concurrency: Option<usize>,
    /// Gives each handler a [breaker](crate::Breaker), which opens when this share of its attempts failed: above 0, 1 at most.
    /// What [`EngineBuilder::breaker`](crate::EngineBuilder::breaker) says of a handler goes before. Default: not set, no
    /// breaker.
    pub breaker_failure_rate: Option<f64>,
    /// Jobs claimed ahead of free slots at most, and the size at which a second round trip starts beside one under
    /// way. Claiming ahead follows the pace of completions, so slow handlers hold nothing back. Default 100.
    pub batch_size: usize,
    /// How often to ask for work when no hint says that there is some. Correctness rests on it, speed does not.
    /// Default 1 s.
    #[serde(with = "duration")]
    pub poll_interval: Duration,
    /// How long a claimed job belongs to this process without a sign of life. Default 30 s.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// How long one attempt may run when its job does not say. Default 30 min.
    #[serde(with = "duration")]
    pub job_timeout: Duration,
    /// Submissions to a queue in which so many jobs wait are refused. Default 10 000.
    pub max_queue_size: u64,
    /// Retries after the first attempt. Default 3.
    pub max_retries: u32,
    /// Upper bound of the first retry's delay. Default 2 s.
    #[serde(with = "duration")]
    pub retry_delay_base: Duration,
    /// Upper bound of every retry's delay. Default 1 h.
    #[serde(with = "duration")]
    pub retry_delay_cap: Duration,
    /// Lost leases after which a job is taken for the cause. Default 3.
    pub max_crashes: u32,
    /// How often to take back expired leases, to fail jobs that waited too long, and to prune. Each process keeps a random phase. Default 1.5 s.
    #[serde(with = "duration")]
    pub sweep_interval: Duration,
    /// How long running jobs may go on after shutdown began. Default 30 s.
    #[serde(with = "duration")]
    pub shutdown_grace: Duration,
    /// How long a handler may tidy up after its job was canceled before it is dropped. Default 5 s.
    #[serde(with = "duration")]
    pub cancel_grace: Duration,
    /// How long a caller waits for its submission to be stored. Default 5 s.
    #[serde(with = "duration")]
    pub submit_timeout: Duration,
    /// Submissions that may wait in this process for the store. Default 4 096.
    pub submit_buffer: usize,
    /// Largest payload, in bytes. Default 1 MiB.
    pub payload_bytes_max: usize,
    /// Largest result, in bytes. Default 1 MiB.
    pub result_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            work: true,
            queues: vec![QueueName::default()],
            queue_weights: None,
            handlers: None,
            max_concurrency: 4 * cores,
            min_concurrency: None,
            breaker_failure_rate: None,
            batch_size: 100,
            poll_interval: Duration::from_secs(1),
            lease: Duration::from_secs(30),
            job_timeout: Duration::from_secs(30 * 60),
            max_queue_size: 10_000,
            max_retries: 3,
            retry_delay_base: Duration::from_secs(2),
            retry_delay_cap: Duration::from_secs(3600),
            max_crashes: 3,
            sweep_interval: Duration::from_millis(1_500),
            shutdown_grace: Duration::from_secs(30),
            cancel_grace: Duration::from_secs(5),
            submit_timeout: Duration::from_secs(5),
            submit_buffer: 4_096,
            payload_bytes_max: PAYLOAD_BYTES_DEFAULT,
            result_bytes_max: RESULT_BYTES_DEFAULT,
        }
    }
}

impl Settings {
    /// The policy of jobs that bring none.
    pub fn retry(&self) -> RetryPolicy {
        RetryPolicy {
            max_retries: self.max_retries,
            base: self.retry_delay_base,
            cap: self.retry_delay_cap,
            max_crashes: self.max_crashes,
        }
    }

    /// Refuses settings that cannot work, and says which and why.
    pub fn validate(&self) -> Result<(), InvalidInput> {
        let positive = [
            ("max_concurrency", self.max_concurrency),
            ("batch_size", self.batch_size),
            ("submit_buffer", self.submit_buffer),
            ("payload_bytes_max", self.payload_bytes_max),
            ("result_bytes_max", self.result_bytes_max),
        ];
        let intervals = [
            ("poll_interval", self.poll_interval),
            ("lease", self.lease),
            ("job_timeout", self.job_timeout),
            ("sweep_interval", self.sweep_interval),
            ("submit_timeout", self.submit_timeout),
        ];
        if let Some((what, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(InvalidInput::new(what, "must be 1 or more"));
        }
        if let Some((what, _)) = intervals.into_iter().find(|(_, value)| *value < Duration::from_millis(10)) {
            return Err(InvalidInput::new(what, "must be 10 ms or more"));
        }
        let spans = [self.shutdown_grace, self.cancel_grace].into_iter().chain(intervals.map(|(_, value)| value));
        if spans.max().is_some_and(|longest| longest > DELAY_MAX) {
            return Err(InvalidInput::new("durations", "must be ten years or less"));
        }
        if self.min_concurrency.is_some_and(|least| !(1..=self.max_concurrency).contains(&least)) {
            return Err(InvalidInput::new("min_concurrency", "must be from 1 to max_concurrency"));
        }
        if self.breaker_failure_rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1.0)) {
            return Err(InvalidInput::new("breaker_failure_rate", "must be above 0 and 1 at most"));
        }
        if self.work && self.queues.is_empty() {
            return Err(InvalidInput::new("queues", "must name a queue, or `work` must be false"));
        }
        if self.handlers.as_ref().is_some_and(Vec::is_empty) {
            return Err(InvalidInput::new(
                "handlers",
                "must name a handler; leave it out to serve all, or set `work` to false",
            ));
        }
        if let Some(weights) = &self.queue_weights {
            self.check_weights(weights)?;
        }
        self.retry().check()
    }

    fn check_weights(&self, weights: &BTreeMap<QueueName, u32>) -> Result<(), InvalidInput> {
        let served: BTreeSet<_> = self.queues.iter().collect();
        if served.len() < self.queues.len() {
            return Err(InvalidInput::new("queues", "names a queue twice; where weights are set, name each once"));
        }
        if weights.keys().any(|queue| !served.contains(queue)) {
            return Err(InvalidInput::new("queue_weights", "names a queue that `queues` does not; name it in both"));
        }
        if weights.values().any(|weight| !(1..=Share::WEIGHT_MAX).contains(weight)) {
            return Err(InvalidInput::new("queue_weights", "must be 1 to 1000; pause a queue that is to get nothing"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Settings::default().validate(), Ok(()));
    }

    #[test]
    fn durations_are_written_for_people() {
        let settings: Settings = serde_json::from_str(r#"{"lease": "90s", "job_timeout": "PT1H"}"#).expect("valid");
        assert_eq!((settings.lease.as_secs(), settings.job_timeout.as_secs()), (90, 3600));
        assert!(serde_json::from_str::<Settings>(r#"{"leese": "90s"}"#).is_err(), "unknown settings are refused");
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let no_slots = Settings { max_concurrency: 0, ..Settings::default() };
        assert_eq!(no_slots.validate().map_err(|error| error.what()), Err("max_concurrency"));
        for least in [0, 9] {
            let settings = Settings { max_concurrency: 8, min_concurrency: Some(least), ..Settings::default() };
            assert_eq!(settings.validate().map_err(|error| error.what()), Err("min_concurrency"));
        }
        for rate in [0.0, 1.5, f64::NAN] {
            let settings = Settings { breaker_failure_rate: Some(rate), ..Settings::default() };
            assert_eq!(settings.validate().map_err(|error| error.what()), Err("breaker_failure_rate"));
        }
        let no_lease = Settings { lease: Duration::ZERO, ..Settings::default() };
        assert_eq!(no_lease.validate().map_err(|error| error.what()), Err("lease"));
        assert!(Settings { job_timeout: Duration::MAX, ..Settings::default() }.validate().is_err());
        let name = |text| QueueName::new(text).expect("valid");
        for (queues, weights, what) in [
            (vec!["mail"], vec![("mail", 0)], "queue_weights"),
            (vec!["mail"], vec![("mail", 1_001)], "queue_weights"),
            (vec!["mail"], vec![("mails", 2)], "queue_weights"),
            (vec!["mail", "mail"], vec![("mail", 2)], "queues"),
        ] {
            let queue_weights = Some(weights.into_iter().map(|(queue, weight)| (name(queue), weight)).collect());
            let queues = queues.into_iter().map(name).collect();
            let settings = Settings { queues, queue_weights, ..Settings::default() };
            assert_eq!(settings.validate().map_err(|error| error.what()), Err(what));
        }
        let no_handler = Settings { handlers: Some(Vec::new()), ..Settings::default() };
        assert_eq!(no_handler.validate().map_err(|error| error.what()), Err("handlers"));
        let no_queue = Settings { queues: Vec::new(), ..Settings::default() };
        assert!(no_queue.validate().is_err());
        assert!(Settings { work: false, ..no_queue }.validate().is_ok());
    }
}
