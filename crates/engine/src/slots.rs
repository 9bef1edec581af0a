//! How many attempts may run at the same time: a number that was set, or what the handlers bear.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use windlass_core::JobName;

use crate::adaptive::{Adaptive, Round};
use crate::evidence::Ending;
use crate::settings::Settings;

/// The slots of one process.
pub(crate) struct Slots {
    count: AtomicUsize,
    gauge: Gauge,
    /// Where the number was set, nobody asks how attempts fare.
    adaptive: Option<Mutex<Adaptive>>,
}

/// An attempt that runs. However it ends, its slot is free again.
pub(crate) struct Begun<'a> {
    slots: &'a Slots,
    adaptive: &'a Mutex<Adaptive>,
    job: &'a JobName,
    round: Round,
    took: Duration,
    ending: Ending,
}

impl Slots {
    pub(crate) fn new(settings: &Settings, gauge: Gauge) -> Self {
        let adaptive = settings.min_concurrency.map(|floor| Adaptive::between(floor, settings.max_concurrency));
        let count = adaptive.as_ref().map_or(settings.max_concurrency, Adaptive::limit);
        gauge.set(count as f64);
        Self { count: AtomicUsize::new(count), gauge, adaptive: adaptive.map(Mutex::new) }
    }

    /// How many there are now.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Notes that an attempt of `job` begins, where anybody wants to know.
    pub(crate) fn begin<'a>(&'a self, job: &'a JobName) -> Option<Begun<'a>> {
        let adaptive = self.adaptive.as_ref()?;
        let round = adaptive.lock().unwrap_or_else(PoisonError::into_inner).begin();
        Some(Begun { slots: self, adaptive, job, round, took: Duration::ZERO, ending: Ending::Neither })
    }
}

impl Begun<'_> {
    /// Notes how it ended.
    pub(crate) fn end(mut self, took: Duration, ending: Ending) {
        (self.took, self.ending) = (took, ending);
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut adaptive = self.adaptive.lock().unwrap_or_else(PoisonError::into_inner);
        adaptive.end(self.round, self.job, self.took, self.ending);
        let count = adaptive.limit();
        if self.slots.count.swap(count, Ordering::Relaxed) != count {
            self.slots.gauge.set(count as f64);
        }
    }
}
