//! Keeps leases alive, on a thread of its own: handlers that block every other thread cannot starve it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_dispatch::{Context, Stop};
use windlass_store::{Error, ErrorKind, Extend, Extension, Lease, Settlement, Verbs};

use crate::crossing::Crossings;
use crate::phase::Phase;
use crate::shared::Shared;
use crate::turn::Answered;

/// How often news of progress are sent and ends of leases are looked for, unless the lease is very short.
const TICK: Duration = Duration::from_millis(250);

/// The loop.
pub(crate) struct Heartbeat {
    shared: Arc<Shared>,
    crossings: Arc<Crossings<Answered>>,
    /// The runtime of everything else.
    main: tokio::runtime::Handle,
}

impl Heartbeat {
    /// Starts the thread. It ends when the engine has stopped.
    pub(crate) fn start(shared: Arc<Shared>, crossings: Arc<Crossings<Answered>>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let heartbeat = Self { shared, crossings, main: tokio::runtime::Handle::current() };
        let thread = std::thread::Builder::new().name("windlass-heartbeat".into());
        thread.spawn(move || runtime.block_on(heartbeat.run()))?;
        Ok(())
    }

    async fn run(self) {
        let tick = TICK.min(self.shared.settings.lease / 12);
        let mut phase = self.shared.phases.watch();
        while *phase.borrow() < Phase::Stopped {
            self.pass().await;
            let _ = tokio::time::timeout(tick, phase.wait_for(|phase| *phase == Phase::Stopped)).await;
        }
    }

    /// Extends what is due, sends news, and lets go of what is over.
    pub(crate) async fn pass(&self) {
        self.look_after_turns();
        let rounds = self.shared.registry.rounds(Instant::now(), self.shared.settings.lease);
        for context in rounds.lost {
            tracing::warn!(job.id = %context.id(), "the lease could not be kept; stopping its handler");
            self.shared.metrics.leases_lost.increment(1);
            context.request_stop(Stop::LeaseLost);
        }
        let extended = self.extend(rounds.extend).await;
        let let_go = self.let_go(rounds.overdue).await;
        if extended && let_go {
            self.shared.beats.heartbeat.good();
        }
    }

    /// What a claim has answered is held from here on, even if no thread is left to start it. A turn that begins
    /// something (a connection, say) begins it where it was sent.
    fn look_after_turns(&self) {
        let _main = self.main.enter();
        self.crossings.look_after(self.shared.settings.lease / 6);
    }

    async fn extend(&self, extend: Vec<Extend>) -> bool {
        if extend.is_empty() {
            return true;
        }
        let sent = Instant::now();
        let leases: Vec<Lease> = extend.iter().map(|extend| extend.lease).collect();
        // A store that hangs must not keep this loop from looking after the ends of the leases.
        let patience = self.shared.settings.lease / 6;
        let answers = tokio::time::timeout(patience, self.shared.store.extend(extend)).await;
        match answers.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "the store does not answer"))) {
            Ok(answers) => {
                for (lease, answer) in leases.into_iter().zip(answers) {
                    self.note(lease, answer, sent);
                }
                true
            }
            Err(error) => {
                self.shared.metrics.extend_errors.increment(1);
                tracing::warn!(%error, "leases could not be extended; trying again");
                false
            }
        }
    }

    fn note(&self, lease: Lease, answer: Extension, sent: Instant) {
        match answer {
            Extension::Lost => self.shared.registry.lose(lease),
            Extension::Kept => self.shared.registry.kept(lease, sent, self.shared.settings.lease),
            Extension::CancelRequested => {
                self.shared.registry.kept(lease, sent, self.shared.settings.lease);
                if let Some(context) = self.shared.registry.find(lease.id) {
                    context.request_stop(Stop::Canceled);
                }
            }
        }
    }

    /// Settles attempts whose handlers block a thread beyond their time limit: the job goes on elsewhere, the slot
    /// stays lost until the handler returns.
    async fn let_go(&self, overdue: Vec<(Settlement, Context)>) -> bool {
        if overdue.is_empty() {
            return true;
        }
        self.shared.metrics.stuck.increment(overdue.len() as u64);
        let mut settle = Vec::with_capacity(overdue.len());
        for (settlement, context) in overdue {
            tracing::error!(job.id = %context.id(), job.name = %context.job().name, "the handler does not let go after its time limit");
            context.request_stop(Stop::TimedOut);
            settle.push(settlement);
        }
        let leases: Vec<Lease> = settle.iter().map(|settlement| settlement.lease).collect();
        let patience = self.shared.settings.lease / 6;
        let heard = matches!(tokio::time::timeout(patience, self.shared.store.settle(settle)).await, Ok(Ok(_)));
        match heard {
            true => self.shared.registry.settled(leases.into_iter()),
            false => leases.into_iter().for_each(|lease| self.shared.registry.reopen(lease)),
        }
        heard
    }
}
