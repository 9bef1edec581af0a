//! What every loop of one engine shares.

use tokio::sync::Notify;
use windlass_core::Incarnation;
use windlass_dispatch::Routes;
use windlass_store::SharedStore;

use crate::breakers::Breakers;
use crate::health::{Beat, Health};
use crate::holds::Holds;
use crate::metrics::Metrics;
use crate::phase::{Phase, Phases};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::signals::Readings;
use crate::slots::Slots;
use crate::traffic::Traffic;
use crate::waiters::Waiters;

/// The engine's insides.
pub(crate) struct Shared {
    pub(crate) store: SharedStore,
    pub(crate) settings: Settings,
    pub(crate) routes: Routes,
    pub(crate) worker: Incarnation,
    pub(crate) registry: Registry,
    pub(crate) slots: Slots,
    pub(crate) traffic: Traffic,
    pub(crate) readings: Readings,
    pub(crate) waiters: Waiters,
    pub(crate) phases: Phases,
    pub(crate) metrics: Metrics,
    pub(crate) beats: Beats,
    /// Rung when a schedule may be due earlier than was thought.
    pub(crate) schedules_changed: Notify,
    /// Which handlers' jobs are left alone.
    pub(crate) breakers: Breakers,
    /// Gates held because handlers were told to wait.
    pub(crate) holds: Holds,
}

/// The pulses of the loops.
pub(crate) struct Beats {
    pub(crate) exchanger: Beat,
    pub(crate) heartbeat: Beat,
    pub(crate) sweeper: Beat,
}

impl Beats {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            exchanger: Beat::every("exchanger", settings.poll_interval),
            heartbeat: Beat::every("heartbeat", settings.lease / 3),
            sweeper: Beat::every("sweeper", settings.sweep_interval),
        }
    }

    fn all(&self) -> [&Beat; 3] {
        [&self.exchanger, &self.heartbeat, &self.sweeper]
    }
}

impl Shared {
    pub(crate) fn health(&self) -> Health {
        let loops: Vec<_> = self.beats.all().map(Beat::look).into();
        let running = self.phases.now() == Phase::Running;
        Health {
            live: !self.beats.all().iter().any(|beat| beat.is_stuck()),
            ready: running && !loops.iter().any(|beat| beat.stale),
            store: self.store.name(),
            running: self.registry.len(),
            concurrency: self.slots.count(),
            open_breakers: self.breakers.open(),
            loops,
        }
    }
}
