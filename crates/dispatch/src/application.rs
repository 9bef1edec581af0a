//! What an application's messages are and who handles them, as a table: for messages that are known at run time only, and
//! for jobs.

use std::any::TypeId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{Hear, MessageHandler};
use crate::context::Context;
use crate::dispatcher::HandledBy;
use crate::durable::Submitter;
use crate::extract::{Input, Json};
use crate::handler::HandlerOptions;
use crate::message::{Event, Message};
use crate::message_context::within_job;
use crate::reply::{Conclusion, Reply};
use crate::routed::Routed;
use crate::slot::Slot;
use crate::states::Needs;

/// An application whose messages stand in a `dispatcher!`, which writes this.
pub trait Application: Sized + Send + Sync + 'static {
    /// Notes each message with its handlers.
    fn note(entries: &mut Entries<Self>);

    /// Its messages by type and by name, made once.
    fn table() -> &'static Table<Self>;

    /// Starts its local queue and connects it to what takes its jobs, as far as it has fields for them.
    fn start(application: &Arc<Self>, submitter: &Arc<dyn Submitter>);

    /// Drains its local queue, if it has one.
    fn drain(&self) -> BoxFuture<'_, ()>;
}

/// An application, whichever.
pub(crate) trait Joins: Send + Sync {
    fn start(&self, submitter: &Arc<dyn Submitter>);

    fn drain(&self) -> BoxFuture<'_, ()>;
}

/// One that belongs to an engine.
pub(crate) struct Joined<App>(pub(crate) Arc<App>);

impl<App: Application> Joins for Joined<App> {
    fn start(&self, submitter: &Arc<dyn Submitter>) {
        App::start(&self.0, submitter);
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        self.0.drain()
    }
}

/// Makes the slot of one message.
pub(crate) type MakeSlot<App> = for<'a> fn(&'a App) -> Box<dyn Slot<'a> + 'a>;

/// A message of an application.
pub(crate) struct Entry<App> {
    pub(crate) name: &'static str,
    /// The type that carries it: an `Option` of it, so that it can be taken.
    pub(crate) carried_as: TypeId,
    pub(crate) slot: MakeSlot<App>,
}

/// The messages of an application, by type and by name. `dispatcher!` keeps it.
pub struct Table<App> {
    pub(crate) messages: Vec<Entry<App>>,
    pub(crate) by_type: HashMap<TypeId, usize, BuildHasherDefault<TypeHasher>>,
    /// Nowhere, where two messages have one name.
    pub(crate) by_name: HashMap<&'static str, Option<usize>>,
}

impl<App: Application> Table<App> {
    /// The table of `App`.
    pub fn collect() -> Self {
        let messages = Entries::<App>::collect().messages;
        let by_type = messages.iter().enumerate().map(|(place, entry)| (entry.carried_as, place)).collect();
        let mut by_name = HashMap::new();
        for (place, entry) in messages.iter().enumerate() {
            by_name.entry(entry.name).and_modify(|found| *found = None).or_insert(Some(place));
        }
        Self { messages, by_type, by_name }
    }
}

/// Takes the hash that a [`TypeId`] is already.
#[derive(Default)]
pub(crate) struct TypeHasher(u64);

impl Hasher for TypeHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type MakeJob<App> = fn(Arc<App>) -> Arc<dyn Routed>;

/// The messages of an application.
pub struct Entries<App> {
    pub(crate) messages: Vec<Entry<App>>,
    jobs: Vec<(&'static str, MakeJob<App>)>,
}

impl<App: Application> Entries<App> {
    /// Those of `App`.
    pub(crate) fn collect() -> Self {
        let mut entries = Self { messages: Vec::new(), jobs: Vec::new() };
        App::note(&mut entries);
        entries
    }

    /// The handlers of messages that are data, by the names of their jobs.
    pub(crate) fn jobs(self, application: &Arc<App>) -> impl Iterator<Item = (&'static str, Arc<dyn Routed>)> {
        self.jobs.into_iter().map(|(name, make)| (name, make(application.clone())))
    }

    pub(crate) fn message<M: Message>(&mut self, slot: MakeSlot<App>) {
        self.messages.push(Entry { name: M::NAME, carried_as: TypeId::of::<Option<M>>(), slot });
    }

    /// Notes that a message is the job of its handler.
    pub(crate) fn answering_job<M>(&mut self)
    where
        M: HandledBy<App> + DeserializeOwned,
        M::Reply: Serialize,
    {
        self.jobs.push((M::JOB, |app| Arc::new(AnsweringJob::<App, M> { app, message: PhantomData })));
    }

    /// Notes that an event is the job of one of its handlers.
    pub(crate) fn hearing_job<E, H>(&mut self)
    where
        E: Event + DeserializeOwned,
        H: Hear<App, E> + MessageHandler,
    {
        self.jobs.push((H::JOB, |app| Arc::new(HearingJob::<App, E, H> { app, types: PhantomData })));
    }
}

/// Runs a command or a query as a job: as the application would.
struct AnsweringJob<App, M> {
    app: Arc<App>,
    message: PhantomData<fn(M)>,
}

impl<App, M> Routed for AnsweringJob<App, M>
where
    App: Application,
    M: HandledBy<App> + DeserializeOwned,
    M::Reply: Serialize,
{
    fn call(self: Arc<Self>, cx: Context) -> BoxFuture<'static, Conclusion> {
        attempt(cx, move |message: M| async move { message.handled_by(&self.app).await.map(Reply).into() })
    }

    fn options(&self) -> HandlerOptions {
        M::job_options()
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }
}

/// Runs one handler of an event as a job.
struct HearingJob<App, E, H> {
    app: Arc<App>,
    types: PhantomData<fn(E, H)>,
}

impl<App, E, H> Routed for HearingJob<App, E, H>
where
    App: Application,
    E: Event + DeserializeOwned,
    H: Hear<App, E> + MessageHandler,
{
    fn call(self: Arc<Self>, cx: Context) -> BoxFuture<'static, Conclusion> {
        attempt(cx, move |event: E| async move { H::IT.hear(&self.app, &event).await.into() })
    }

    fn options(&self) -> HandlerOptions {
        H::IT.job_options()
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }
}

/// Reads the message and runs its handler.
fn attempt<M, F>(cx: Context, run: impl FnOnce(M) -> F + Send + 'static) -> BoxFuture<'static, Conclusion>
where
    M: Message + DeserializeOwned,
    F: Future<Output = Conclusion> + Send,
{
    let context = cx.clone();
    let attempt = async move {
        match Json::<M>::read(cx.payload()) {
            Ok(Json(message)) => run(message).await,
            Err(error) => Conclusion::Failed(error),
        }
    };
    within_job::<M, _>(context, attempt).boxed()
}
