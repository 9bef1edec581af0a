//! How an engine is built.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use windlass_core::gate::Edit;
use windlass_core::{Backlog, Incarnation, InvalidInput, JobName, Limits, QueueName, Share};
use windlass_dispatch::{Application, Handler, Router};
use windlass_store::SharedStore;

use crate::breaker::Breaker;
use crate::breakers::Breakers;
use crate::durable::WeakEngine;
use crate::engine::Engine;
use crate::error::StartError;
use crate::exchanger::Exchanger;
use crate::gates;
use crate::heartbeat::Heartbeat;
use crate::holds::Holds;
use crate::lookout::Lookout;
use crate::metrics::Metrics;
use crate::phase::Phases;
use crate::recurring::Recurring;
use crate::registry::Registry;
use crate::scheduler::Scheduler;
use crate::settings::Settings;
use crate::shared::{Beats, Shared};
use crate::signals::Readings;
use crate::slots::Slots;
use crate::sweeper::Sweeper;
use crate::traffic::Traffic;
use crate::waiters::Waiters;
use crate::weights;

impl Engine {
    /// Starts to build an engine over a store.
    pub fn builder(store: SharedStore) -> EngineBuilder {
        EngineBuilder {
            store,
            settings: Settings::default(),
            weights: None,
            served: None,
            router: Router::new(),
            recurring: Vec::new(),
            breakers: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// Builds an [`Engine`]; every complaint comes out of [`start`](Self::start).
pub struct EngineBuilder {
    store: SharedStore,
    settings: Settings,
    weights: Option<Vec<(String, u32)>>,
    served: Option<Vec<String>>,
    router: Router,
    recurring: Vec<Recurring>,
    breakers: Vec<(String, Option<Breaker>)>,
    rules: Vec<(String, Edit)>,
}

impl EngineBuilder {
    /// All settings at once.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Changes some settings.
    pub fn configure(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// The queues to serve, most important first; see [`queue_weights`](Self::queue_weights) for another order.
    pub fn queues(mut self, queues: impl IntoIterator<Item = QueueName>) -> Self {
        self.settings.queues = queues.into_iter().collect();
        self
    }

    /// Has the queues take turns by these weights, in place of the order in which they were named:
    /// `.queue_weights([("mail", 3), ("reports", 1)])`. See [`queue_weights`](Settings::queue_weights).
    pub fn queue_weights(mut self, weights: impl IntoIterator<Item = (impl ToString, u32)>) -> Self {
        self.weights = Some(weights.into_iter().map(|(queue, weight)| (queue.to_string(), weight)).collect());
        self
    }

    /// The handlers whose jobs to take from the queues, by name: `.handlers(["Invoice"])`. Those of others keep their places for
    /// processes that serve them. See [`handlers`](Settings::handlers).
    pub fn handlers(mut self, handlers: impl IntoIterator<Item = impl ToString>) -> Self {
        self.served = Some(handlers.into_iter().map(|handler| handler.to_string()).collect());
        self
    }

    /// Adds a handler.
    pub fn handler<H: Handler>(mut self, handler: H) -> Self {
        self.router = self.router.handler(handler);
        self
    }

    /// Adds an application: the handlers of its messages that are data, its local queue, and where it submits.
    pub fn application<App: Application>(mut self, application: &Arc<App>) -> Self {
        self.router = self.router.application(application);
        self
    }

    /// Adds a value that handlers take as `State<S>`.
    pub fn state<S: Clone + Send + Sync + 'static>(mut self, value: S) -> Self {
        self.router = self.router.state(value);
        self
    }

    /// Adds a schedule, which is declared when the engine starts: see [`Schedules::put`](crate::Schedules::put).
    pub fn schedule(mut self, recurring: Recurring) -> Self {
        self.recurring.push(recurring);
        self
    }

    /// Sets limits at a gate, given as [`Gate`](windlass_core::Gate) or as its text, when the engine starts, in place of those
    /// that are set there. A pause stays. See [`Gates::limit`](crate::Gates::limit).
    pub fn limit(self, gate: impl ToString, limits: Limits) -> Self {
        self.rule(gate, Edit::Limit(limits))
    }

    /// Sets how a queue is shared or how much a key gets of one, when the engine starts, in place of what is set there. See
    /// [`Gates::share`](crate::Gates::share).
    pub fn share(self, gate: impl ToString, share: Share) -> Self {
        self.rule(gate, Edit::Share(share))
    }

    /// Sets how many jobs may wait in a queue, when the engine starts, in place of what is set there. See
    /// [`Gates::backlog`](crate::Gates::backlog).
    pub fn backlog(self, gate: impl ToString, backlog: Backlog) -> Self {
        self.rule(gate, Edit::Backlog(backlog))
    }

    /// Sets in how long jobs of a queue rise by one level of priority, when the engine starts, in place of what is set there. See
    /// [`Gates::aging`](crate::Gates::aging).
    pub fn aging(self, gate: impl ToString, span: impl Into<Option<Duration>>) -> Self {
        self.rule(gate, Edit::Aging(span.into()))
    }

    fn rule(mut self, gate: impl ToString, edit: Edit) -> Self {
        self.rules.push((gate.to_string(), edit));
        self
    }

    /// Gives a handler of this process a breaker: while too many of its attempts fail, none starts for a pause, in any process
    /// that shares the store. `None` for one that shall have none although
    /// [`breaker_failure_rate`](Settings::breaker_failure_rate) is set. Needs a store that keeps rules to hold in other
    /// processes too.
    pub fn breaker(mut self, handler: impl ToString, breaker: impl Into<Option<Breaker>>) -> Self {
        self.breakers.push((handler.to_string(), breaker.into()));
        self
    }

    /// Checks everything, asks the store whether it is there, and starts the loops.
    pub async fn start(mut self) -> Result<Engine, StartError> {
        if let Some(weights) = self.weights.take() {
            self.settings.queue_weights = Some(weights::of(weights)?);
        }
        if let Some(served) = self.served.take() {
            self.settings.handlers = Some(served.into_iter().map(JobName::new).collect::<Result<_, _>>()?);
        }
        self.settings.validate()?;
        let routes = self.router.build()?;
        check_served(&self.settings, routes.names())?;
        let declared = self.recurring.into_iter().map(|recurring| recurring.schedule(&self.settings));
        let declared = declared.collect::<Result<Vec<_>, _>>()?;
        let rules = self.rules.into_iter().map(|(gate, edit)| gates::check(&gate, &edit).map(|gate| (gate, edit)));
        let rules = rules.collect::<Result<Vec<_>, InvalidInput>>()?;
        let breakers = Breakers::of(routes.names(), self.settings.breaker_failure_rate, &self.breakers)?;
        self.store.ping().await?;
        let (submittals, receiver) = mpsc::channel(self.settings.submit_buffer);
        let metrics = Metrics::new(self.store.name(), routes.names());
        let shared = Arc::new(Shared {
            slots: Slots::new(&self.settings, metrics.concurrency.clone()),
            metrics,
            traffic: Traffic::of(&self.settings.queues),
            readings: Readings::default(),
            beats: Beats::new(&self.settings),
            store: self.store,
            settings: self.settings,
            routes,
            worker: Incarnation::random(),
            registry: Registry::default(),
            waiters: Waiters::default(),
            phases: Phases::new(),
            schedules_changed: Notify::new(),
            breakers,
            holds: Holds::default(),
        });
        // Before anything is claimed, which whoever fails to start would leave to its lease.
        let engine = Engine { shared: shared.clone(), submittals: submittals.clone() };
        for (gate, edit) in rules {
            engine.gates().declare(gate, edit).await.map_err(StartError::Rule)?;
        }
        for schedule in declared {
            engine.schedules().put(schedule).await.map_err(StartError::Schedule)?;
        }
        drop(engine);
        // Before the first job can run.
        let weak = WeakEngine { shared: Arc::downgrade(&shared), submittals: submittals.downgrade() };
        shared.routes.start_applications(&(Arc::new(weak) as _));
        let crossings = Arc::default();
        Heartbeat::start(shared.clone(), Arc::clone(&crossings))?;
        let lookout = Lookout::new(shared.clone());
        lookout.pass().await;
        tokio::spawn(lookout.run());
        tokio::spawn(Sweeper::new(shared.clone()).run());
        tokio::spawn(Exchanger::new(shared.clone(), receiver, crossings).run());
        tokio::spawn(Scheduler::new(shared.clone()).run());
        Ok(Engine { shared, submittals })
    }
}

/// A process that works serves no handler that it does not have.
fn check_served<'a>(settings: &Settings, known: impl Iterator<Item = &'a JobName>) -> Result<(), StartError> {
    let known: BTreeSet<&str> = known.map(JobName::as_str).collect();
    let mut served = settings.handlers.iter().flatten().filter(|_| settings.work);
    match served.find(|name| !known.contains(name.as_str())) {
        Some(name) => {
            Err(StartError::UnknownHandler { handler: name.to_string(), known: Vec::from_iter(known).join(", ") })
        }
        None => Ok(()),
    }
}
