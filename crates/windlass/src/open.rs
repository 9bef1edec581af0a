//! Opens a store by its address and starts the engine on it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::{Backlog, Limits, QueueName, Share};
use windlass_dispatch::{Application, Handler};
use windlass_engine::{Breaker, Engine, EngineBuilder, Recurring, Settings, StartError};
use windlass_store::SharedStore;

/// The engine, its store and its handlers. Clones are handles on the same engine; everything [`Engine`] can do it
/// can do too.
#[derive(Clone)]
pub struct Windlass(Engine);

impl Windlass {
    /// Opens the store at `address`: `memory:` keeps jobs in this process only, `file:folder` durably in a folder of
    /// their own, `postgres://user:password@host/database` in a schema of a PostgreSQL database that many processes
    /// share, `redis://user:password@host`, `redis-cluster://host:port,host:port` or
    /// `redis-sentinel://host:port,host:port/name` (`rediss` for TLS) on Redis. Nothing happens before [`WindlassBuilder::start`], and mistakes come out of there.
    pub fn open(address: impl Into<String>) -> WindlassBuilder {
        WindlassBuilder::new(Source::Address(address.into()))
    }

    /// Opens the store that `windlass.toml` or `WINDLASS_STORE` names, else [`config::STORE`](crate::config::STORE), with
    /// the settings from there; see [`config`](crate::config).
    pub fn from_config() -> WindlassBuilder {
        match crate::config::load() {
            Ok(said) => Self::open(said.store()).settings(said.settings),
            Err(error) => WindlassBuilder { settings: Err(error.into()), ..Self::open(crate::config::STORE) },
        }
    }

    /// Uses a store that is open already.
    pub fn with_store(store: SharedStore) -> WindlassBuilder {
        WindlassBuilder::new(Source::Opened(store))
    }

    /// The engine itself.
    pub fn engine(&self) -> &Engine {
        &self.0
    }

    /// Serves `app` on `address` until SIGTERM or Ctrl-C, then drains: requests under way are answered, running jobs
    /// may finish within `shutdown_grace`, the rest is given back unharmed. A second signal skips the grace.
    #[cfg(feature = "http")]
    pub async fn serve(&self, address: &str, app: axum::Router) -> std::io::Result<()> {
        windlass_http::serve(&self.0, address, app).await
    }
}

impl Deref for Windlass {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

type Part = Box<dyn FnOnce(EngineBuilder) -> EngineBuilder + Send>;

/// Where the store comes from.
enum Source {
    Address(String),
    Opened(SharedStore),
}

/// Collects handlers, shared values and settings; every complaint comes out of [`start`](Self::start).
pub struct WindlassBuilder {
    source: Source,
    settings: Result<Settings, OpenError>,
    parts: Vec<Part>,
}

impl WindlassBuilder {
    fn new(source: Source) -> Self {
        Self { source, settings: Ok(Settings::default()), parts: Vec::new() }
    }

    /// Adds a handler.
    pub fn handler<H: Handler>(self, handler: H) -> Self {
        self.part(|engine| engine.handler(handler))
    }

    /// Adds an application (docs/messages.md): the handlers of its messages that are data, its local queue, and where it
    /// submits.
    pub fn application<App: Application>(self, application: &Arc<App>) -> Self {
        let application = application.clone();
        self.part(move |engine| engine.application(&application))
    }

    /// Adds a value that handlers take as `State<S>`.
    pub fn state<S: Clone + Send + Sync + 'static>(self, value: S) -> Self {
        self.part(|engine| engine.state(value))
    }

    /// Sets limits at a gate, given as [`Gate`](windlass_core::Gate) or as its text, at the start:
    /// `.limit("keys:tenant", Limits::running(5))`. See [`Gates::limit`](windlass_engine::Gates::limit).
    pub fn limit(self, gate: impl ToString, limits: Limits) -> Self {
        let gate = gate.to_string();
        self.part(move |engine| engine.limit(gate, limits))
    }

    /// Gives a handler a breaker: while too many of its attempts fail, none starts for a pause, in any process (docs/adaptive.md).
    /// `None` for one that shall have none although `breaker_failure_rate` is set.
    pub fn breaker(self, handler: impl ToString, breaker: impl Into<Option<Breaker>>) -> Self {
        let (handler, breaker) = (handler.to_string(), breaker.into());
        self.part(move |engine| engine.breaker(handler, breaker))
    }

    /// Sets how a queue is shared among the keys of its jobs, or how much a key gets, at the start:
    /// `.share("queue:default", Share::by("tenant")?)` (docs/fairness.md). See [`Gates::share`](windlass_engine::Gates::share).
    pub fn share(self, gate: impl ToString, share: Share) -> Self {
        let gate = gate.to_string();
        self.part(move |engine| engine.share(gate, share))
    }

    /// Sets how many jobs may wait in a queue or of an owner, at the start: `.backlog("queue:mail", Backlog::most(1_000).drop_oldest())`,
    /// `.backlog("owners", Backlog::most(100))` (docs/limits.md). See [`Gates::backlog`](windlass_engine::Gates::backlog).
    pub fn backlog(self, gate: impl ToString, backlog: Backlog) -> Self {
        let gate = gate.to_string();
        self.part(move |engine| engine.backlog(gate, backlog))
    }

    /// Has the jobs of a queue rise by one level of priority in every span that they wait, from the start:
    /// `.aging("queue:default", 30.seconds())` (docs/fairness.md). See [`Gates::aging`](windlass_engine::Gates::aging).
    pub fn aging(self, gate: impl ToString, span: impl Into<Option<Duration>>) -> Self {
        let (gate, span) = (gate.to_string(), span.into());
        self.part(move |engine| engine.aging(gate, span))
    }

    /// Adds a schedule, which is declared at the start: `.schedule(report.cron("nightly", "0 3 * * *", input))`
    /// (docs/scheduling.md).
    pub fn schedule(self, recurring: Recurring) -> Self {
        self.part(|engine| engine.schedule(recurring))
    }

    /// All settings at once.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Ok(settings);
        self
    }

    /// Takes the settings from `windlass.toml` and `WINDLASS_*`, but not the store; see [`config`](crate::config).
    pub fn load_settings(mut self) -> Self {
        self.settings = crate::config::load().map(|said| said.settings).map_err(OpenError::from);
        self
    }

    /// Changes some settings.
    pub fn configure(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        if let Ok(settings) = &mut self.settings {
            change(settings);
        }
        self
    }

    /// The queues to serve, most important first; see [`queue_weights`](Self::queue_weights) for another order.
    pub fn queues(self, queues: impl IntoIterator<Item = QueueName>) -> Self {
        let queues = queues.into_iter().collect();
        self.configure(|settings| settings.queues = queues)
    }

    /// Has the queues take turns by these weights, in place of the order in which they were named:
    /// `.queue_weights([("mail", 3), ("reports", 1)])` (docs/settings.md). See [`Settings::queue_weights`].
    pub fn queue_weights(self, weights: impl IntoIterator<Item = (impl ToString, u32)>) -> Self {
        let weights: Vec<_> = weights.into_iter().map(|(queue, weight)| (queue.to_string(), weight)).collect();
        self.part(move |engine| engine.queue_weights(weights))
    }

    /// The handlers whose jobs to take from the queues: `.handlers(["Invoice"])` (docs/settings.md). See [`Settings::handlers`].
    pub fn handlers(self, handlers: impl IntoIterator<Item = impl ToString>) -> Self {
        let handlers: Vec<_> = handlers.into_iter().map(|handler| handler.to_string()).collect();
        self.part(move |engine| engine.handlers(handlers))
    }

    fn part(mut self, part: impl FnOnce(EngineBuilder) -> EngineBuilder + Send + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }

    /// Checks everything and starts to work.
    pub async fn start(self) -> Result<Windlass, OpenError> {
        let settings = self.settings?;
        let store = match self.source {
            Source::Address(address) => open_store(&address).await?,
            Source::Opened(store) => store,
        };
        let engine = Engine::builder(store).settings(settings);
        let engine = self.parts.into_iter().fold(engine, |engine, part| part(engine));
        Ok(Windlass(engine.start().await?))
    }
}

/// Why a store or the engine on it did not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address names no store that this build has.
    #[error(
        "{scheme:?} is no store; use `memory:`, `file:some-folder`, `postgres://user@host/database` or `redis://host`"
    )]
    UnknownStore {
        /// What stood before the colon.
        scheme: String,
    },
    /// `windlass.toml` or the environment has a mistake.
    #[error("settings: {0}")]
    Config(#[from] config::ConfigError),
    /// The store did not open.
    #[error(transparent)]
    Store(#[from] windlass_store::Error),
    /// The engine did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Opens the store at `address`, as [`Windlass::open`] does, without an engine on it: to look at its jobs, or to
/// [`transfer`](crate::transfer) them.
pub async fn open_store(address: &str) -> Result<SharedStore, OpenError> {
    let (scheme, rest) = address.split_once(':').unwrap_or((address, ""));
    match scheme {
        #[cfg(feature = "memory")]
        "memory" => Ok(Arc::new(windlass_memory::Memory::new())),
        #[cfg(feature = "embedded")]
        "file" => Ok(Arc::new(windlass_embedded::Embedded::open(rest)?)),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(Arc::new(windlass_postgres::Postgres::options().open(address).await?)),
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "redis-cluster" | "rediss-cluster" | "redis-sentinel" | "rediss-sentinel" => {
            Ok(Arc::new(windlass_redis::Redis::options().open(address).await?))
        }
        _ => Err(OpenError::UnknownStore { scheme: scheme.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_store_says_which_there_are() {
        let error = Windlass::open("mysql://localhost").start().await.err().expect("unknown");
        assert!(error.to_string().contains("file:some-folder"), "{error}");
    }
}
