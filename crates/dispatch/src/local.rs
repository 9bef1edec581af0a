//! The local queue: messages that run in the background of this process.

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::task::{Context as Poller, Poll};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::task::JoinHandle;
use windlass_core::StreamId;

use crate::call::{Has, Hear, MessageHandler};
use crate::dispatcher::{HandledBy, HeardBy, Unheard};
use crate::error::{Error, Result};
use crate::lanes::Lanes;
use crate::message::{Event, Message};
use crate::message_context::MessageContext;
use crate::policy::{Policies, Strategy, Subject};

/// How much a local queue takes, and does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalOptions {
    /// How many messages may wait and run, all in all. Default 1 024.
    pub room: NonZeroUsize,
    /// How many of them run at once that belong to no stream. Default 16.
    pub concurrency: NonZeroUsize,
    /// In how many lanes those of streams run; see [`Lanes`]. Default 16.
    pub lanes: NonZeroUsize,
    /// Whether `spawn` ends only when the message has been handled, so that a test finds everything done. Default no.
    pub inline: bool,
}

impl Default for LocalOptions {
    fn default() -> Self {
        const SIXTEEN: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");
        const THOUSAND: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
        Self { room: THOUSAND, concurrency: SIXTEEN, lanes: SIXTEEN, inline: false }
    }
}

/// An application's local queue: a field of it, which begins to work with [`start`](Self::start). What it has taken it
/// handles, unless the process ends: messages that must survive that are submitted ([`Durable`](crate::Durable)).
///
/// What a message of the queue spawns is taken at once, beyond its room and while it is being drained: it would wait for itself
/// otherwise. A handler should not *await* what it spawns: when all workers do, nobody is left to do it.
pub struct Local<App> {
    options: LocalOptions,
    policies: Option<Arc<Policies>>,
    busy: Arc<Busy>,
    running: RwLock<Option<Arc<Running<App>>>>,
}

struct Running<App> {
    // The application holds the queue.
    app: Weak<App>,
    inline: bool,
    busy: Arc<Busy>,
    room: Arc<Semaphore>,
    /// Without a place: who waits for one waits until the queue is drained.
    open: Semaphore,
    draining: AtomicBool,
    line: async_channel::Sender<Work>,
    lanes: Lanes<Work>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

type Work = BoxFuture<'static, ()>;

tokio::task_local! {
    /// The queue whose message is being handled.
    static OWN: Arc<Busy>;
}

/// What the policies say of a message.
struct Ruled {
    stream: Option<StreamId>,
    serial: bool,
    places: Option<Arc<Semaphore>>,
}

impl Ruled {
    /// The stream behind whose messages it waits.
    fn lane(&self) -> Option<StreamId> {
        self.stream.filter(|_| self.serial)
    }
}

/// How many messages are waiting or running.
#[derive(Default)]
struct Busy {
    with: AtomicUsize,
    idle: Notify,
}

/// A message's place in the queue, until it has been handled.
struct Place {
    busy: Arc<Busy>,
    rooms: [Option<OwnedSemaphorePermit>; 2],
}

impl Place {
    fn count(busy: &Arc<Busy>, rooms: [Option<OwnedSemaphorePermit>; 2]) -> Self {
        busy.with.fetch_add(1, Ordering::SeqCst);
        Self { busy: busy.clone(), rooms }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.rooms = [None, None];
        if self.busy.with.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.busy.idle.notify_waiters();
        }
    }
}

/// A message that the queue did not take, to try again or to give up.
#[derive(PartialEq, Eq)]
pub enum SpawnError<M> {
    /// The queue is full.
    Full(M),
    /// The queue is drained, or has been.
    Drained(M),
    /// Nobody has called [`Local::start`].
    NotStarted(M),
}

impl<M> fmt::Display for SpawnError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the local queue is full",
            Self::Drained(_) => "the local queue is drained",
            Self::NotStarted(_) => "the local queue does not run: call `Local::start(&application)` first",
        })
    }
}

// Of any message: most are not `Debug`, and need not be.
impl<M> fmt::Debug for SpawnError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpawnError({self})")
    }
}

impl<M> std::error::Error for SpawnError<M> {}

impl<M> SpawnError<M> {
    /// The message.
    pub fn into_message(self) -> M {
        match self {
            Self::Full(message) | Self::Drained(message) | Self::NotStarted(message) => message,
        }
    }

    /// A handler's error in its place, without the message. Another try may help.
    pub fn into_error(self) -> Error {
        let code = match self {
            Self::Full(_) => "LOCAL_QUEUE_FULL",
            Self::Drained(_) => "LOCAL_QUEUE_DRAINED",
            Self::NotStarted(_) => "LOCAL_QUEUE_NOT_STARTED",
        };
        Error::transient(self.to_string()).code(code)
    }
}

impl<App> Default for Local<App> {
    fn default() -> Self {
        Self::new(LocalOptions::default())
    }
}

impl<App> Local<App> {
    /// A queue that does not run yet.
    pub fn new(options: LocalOptions) -> Self {
        Self { options, policies: None, busy: Arc::default(), running: RwLock::default() }
    }

    /// The same under these policies: they decide a message's stream, and how many of its kind the queue takes.
    pub fn under(mut self, policies: Arc<Policies>) -> Self {
        self.policies = Some(policies);
        self
    }

    /// Waits until nothing waits or runs: what handlers have spawned is done too.
    pub async fn idle(&self) {
        loop {
            let changed = self.busy.idle.notified();
            if self.busy.with.load(Ordering::SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }

    /// Takes nothing more, gives back what waits for room, and ends when all that was taken has been handled.
    pub async fn drain(&self) {
        let Some(running) = self.running.read().unwrap_or_else(PoisonError::into_inner).clone() else { return };
        running.draining.store(true, Ordering::SeqCst);
        running.room.close();
        running.open.close();
        self.idle().await;
        running.line.close();
        running.lanes.drain().await;
        let workers = std::mem::take(&mut *running.workers.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(workers).await;
    }
}

impl<App: Send + Sync + 'static> Local<App> {
    /// Starts the queue of `application`, again where it was drained; does nothing where it runs already. Panics outside of a
    /// Tokio runtime.
    pub fn start(application: &Arc<App>)
    where
        App: Has<Self>,
    {
        let local: &Self = application.get();
        let mut running = local.running.write().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_none_or(|running| running.room.is_closed()) {
            *running = Some(Arc::new(Running::start(application, local)));
        }
    }

    /// Hands a command or a query over. Waits while the queue is full.
    pub async fn spawn<M: HandledBy<App>>(&self, message: M) -> Result<Spawned<M::Reply>, SpawnError<M>> {
        self.hand_over(None, message, answer).await
    }

    /// Hands a command or a query over that is handled after those of the same stream, and before those that come later.
    pub async fn spawn_in<M: HandledBy<App>>(
        &self,
        stream: StreamId,
        message: M,
    ) -> Result<Spawned<M::Reply>, SpawnError<M>> {
        self.hand_over(Some(stream), message, answer).await
    }

    /// [`spawn`](Self::spawn), or [`spawn_in`](Self::spawn_in) a stream, without waiting, be the queue inline or not.
    pub fn try_spawn<M: HandledBy<App>>(
        &self,
        stream: Option<StreamId>,
        message: M,
    ) -> Result<Spawned<M::Reply>, SpawnError<M>> {
        let Some((running, app)) = self.running() else { return Err(SpawnError::NotStarted(message)) };
        let ruled = self.ruled(&message, stream);
        match running.try_place(&ruled) {
            Ok(place) => {
                let (work, spawned) = background(ruled.stream, message, place, |message| answer(app, message));
                running.push(ruled.lane(), work);
                Ok(spawned)
            }
            Err(TryAcquireError::NoPermits) => Err(SpawnError::Full(message)),
            Err(TryAcquireError::Closed) => Err(SpawnError::Drained(message)),
        }
    }

    /// What the policies say of a message.
    fn ruled<M: Message>(&self, message: &M, stream: Option<StreamId>) -> Ruled {
        let Some(policies) = &self.policies else { return Ruled { stream, serial: true, places: None } };
        let context = MessageContext::current();
        let subject = Subject::of(message).within(context.as_ref());
        let Some(policy) = policies.decide(&subject) else { return Ruled { stream, serial: true, places: None } };
        let told = stream.is_some();
        let stream = stream.or_else(|| policy.stream_of(&subject));
        Ruled { stream, serial: told || policy.runs() == Strategy::Serial, places: policy.places().cloned() }
    }

    /// Has all handlers of an event called in the background. Waits while the queue is full.
    pub async fn publish<E: HeardBy<App>>(&self, event: E) -> Result<Spawned<()>, SpawnError<E>> {
        let hear = |app: Arc<App>, event: E| async move { event.heard_by(&*app).await.map_err(Unheard::into_error) };
        self.hand_over(None, event, hear).await
    }

    async fn hand_over<M: Message, R: Send + 'static, F: Future<Output = Result<R>> + Send>(
        &self,
        stream: Option<StreamId>,
        message: M,
        handle: impl FnOnce(Arc<App>, M) -> F + Send + 'static,
    ) -> Result<Spawned<R>, SpawnError<M>> {
        let Some((running, app)) = self.running() else { return Err(SpawnError::NotStarted(message)) };
        let ruled = self.ruled(&message, stream);
        let Some(place) = running.place(&ruled).await else { return Err(SpawnError::Drained(message)) };
        let (work, spawned) = background(ruled.stream, message, place, |message| handle(app, message));
        running.go(ruled.lane(), work).await;
        Ok(spawned)
    }

    fn running(&self) -> Option<(Arc<Running<App>>, Arc<App>)> {
        let running = self.running.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let app = running.app.upgrade()?;
        Some((running, app))
    }
}

/// Has one handler of an event called in the background, and waits while the queue is full. For `dispatcher!`.
pub async fn hear<App, E, H>(app: &App, event: &E) -> Result<()>
where
    App: Has<Local<App>> + Send + Sync + 'static,
    E: Event + Clone,
    H: Hear<App, E> + MessageHandler,
{
    let local: &Local<App> = app.get();
    let Some((running, app)) = local.running() else { return Err(SpawnError::NotStarted(()).into_error()) };
    let ruled = local.ruled(event, None);
    let Some(place) = running.place(&ruled).await else { return Err(SpawnError::Drained(()).into_error()) };
    let work = move |event: E| async move { H::IT.hear(&*app, &event).await };
    let (work, spawned) = background(ruled.stream, event.clone(), place, work);
    if running.inline {
        running.go(ruled.lane(), work).await;
        return spawned.await;
    }
    // Before it can end, so that its failure finds nobody waiting.
    drop(spawned);
    running.go(ruled.lane(), work).await;
    Ok(())
}

impl<App> Running<App> {
    fn start(application: &Arc<App>, local: &Local<App>) -> Self {
        let LocalOptions { room, concurrency, lanes, inline } = local.options;
        let (line, works) = async_channel::unbounded();
        let worker = || tokio::spawn(work_off(works.clone()));
        Self {
            app: Arc::downgrade(application),
            inline,
            busy: local.busy.clone(),
            room: Arc::new(Semaphore::new(room.get().min(Semaphore::MAX_PERMITS))),
            open: Semaphore::new(0),
            draining: AtomicBool::new(false),
            line,
            // The queue's room is what bounds them.
            lanes: Lanes::new(lanes, NonZeroUsize::MAX, |work: Work| work),
            workers: Mutex::new((0..concurrency.get()).map(|_| worker()).collect()),
        }
    }

    /// Whether this is asked by a message of this queue. It holds room already: what it spawns must not wait for that, and is
    /// handled though the queue is being drained.
    fn is_own(&self) -> bool {
        OWN.try_with(|own| Arc::ptr_eq(own, &self.busy)).unwrap_or(false)
    }

    /// First among those of its policy, so that those who wait for that hold no room.
    async fn place(&self, ruled: &Ruled) -> Option<Place> {
        if self.is_own() {
            return Some(Place::count(&self.busy, [None, None]));
        }
        let among_its_kind = match &ruled.places {
            Some(places) => Some(self.unless_drained(places.clone().acquire_owned()).await.ok()?),
            None => None,
        };
        let room = self.room.clone().acquire_owned().await.ok()?;
        self.counted([among_its_kind, Some(room)])
    }

    /// Whoever drains the queue says so and looks at the count; this counts and looks whether somebody has said so. One of them
    /// sees the other.
    fn counted(&self, rooms: [Option<OwnedSemaphorePermit>; 2]) -> Option<Place> {
        let place = Place::count(&self.busy, rooms);
        (!self.draining.load(Ordering::SeqCst)).then_some(place)
    }

    /// Policies may be those of many queues, so that theirs is not what ends.
    async fn unless_drained<T>(&self, place: impl Future<Output = Result<T, AcquireError>>) -> Result<T, AcquireError> {
        tokio::select! {
            biased;
            place = place => place,
            Err(drained) = self.open.acquire() => Err(drained),
        }
    }

    fn try_place(&self, ruled: &Ruled) -> Result<Place, TryAcquireError> {
        if self.is_own() {
            return Ok(Place::count(&self.busy, [None, None]));
        }
        let among_its_kind = ruled.places.clone().map(Semaphore::try_acquire_owned).transpose()?;
        let room = self.room.clone().try_acquire_owned()?;
        self.counted([among_its_kind, Some(room)]).ok_or(TryAcquireError::Closed)
    }

    /// Inline it runs in a task of its own all the same: with nothing of the caller's but what it would have in the queue.
    async fn go(&self, stream: Option<StreamId>, work: Work) {
        match self.inline {
            true => drop(tokio::spawn(work).await),
            false => self.push(stream, work),
        }
    }

    /// There is room: it has its place.
    fn push(&self, stream: Option<StreamId>, work: Work) {
        let pushed = match stream {
            Some(stream) => self.lanes.try_push(&stream, work).is_ok(),
            None => self.line.try_send(work).is_ok(),
        };
        debug_assert!(pushed, "who has a place keeps the queue open");
    }
}

async fn answer<App: Send + Sync + 'static, M: HandledBy<App>>(app: Arc<App>, message: M) -> Result<M::Reply> {
    message.handled_by(&*app).await
}

/// What handles the message, and where its reply comes.
fn background<M: Message, R: Send + 'static, F: Future<Output = Result<R>> + Send>(
    stream: Option<StreamId>,
    message: M,
    place: Place,
    handle: impl FnOnce(M) -> F + Send + 'static,
) -> (Work, Spawned<R>) {
    let (answer, reply) = oneshot::channel();
    let (context, own) = (context(stream), place.busy.clone());
    let work = async move {
        let handled = AssertUnwindSafe(async {
            match context {
                Some(context) => context.deliver::<M, _>(handle(message)).await,
                None => handle(message).await,
            }
        });
        let reply = handled.catch_unwind().await.unwrap_or_else(|panic| Err(Error::panicked(&*panic)));
        if let Err(Err(error)) = answer.send(reply) {
            tracing::error!(message = M::NAME, %error, "a spawned message failed, and nobody waits for its reply");
        }
        drop(place);
    };
    (OWN.scope(own, work).boxed(), Spawned(reply))
}

/// That of a message which follows from the one being handled. Nothing, where nobody has made any and there is no stream.
fn context(stream: Option<StreamId>) -> Option<MessageContext> {
    let follows = MessageContext::current().map(|context| context.next());
    match stream {
        Some(stream) => Some(follows.unwrap_or_default().with_stream(stream)),
        None => follows,
    }
}

async fn work_off(works: async_channel::Receiver<Work>) {
    while let Ok(work) = works.recv().await {
        work.await;
    }
}

impl<App> fmt::Debug for Local<App> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let busy = self.busy.with.load(Ordering::Relaxed);
        f.debug_struct("Local").field("options", &self.options).field("busy", &busy).finish_non_exhaustive()
    }
}

/// The reply of a spawned message, to be awaited. Who drops it does not stop the message.
#[derive(Debug)]
pub struct Spawned<R>(oneshot::Receiver<Result<R>>);

/// The runtime has ended before the message had.
fn lost() -> Error {
    Error::transient("the process stopped before the message was handled").code("LOST")
}

impl<R> Future for Spawned<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<Result<R>> {
        Pin::new(&mut self.0).poll(poller).map(|reply| reply.unwrap_or_else(|_| Err(lost())))
    }
}
