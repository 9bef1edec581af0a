//! What the messages of an application can do, found out where `dispatcher!` lists them: data can be read from JSON and be
//! a job, and everything can be sent by its type. Of two traits of the same method the compiler takes the one whose bounds
//! hold without another reference.

use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::application::{Application, Entries};
use crate::call::{Has, Hear, MessageHandler};
use crate::dispatcher::{HandledBy, HeardBy};
use crate::durable::{Durable, Submitter};
use crate::local::Local;
use crate::message::{Event, Message};
use crate::recorder::{How, Recorder};
use crate::slot::{AsJson, NotJson, answering, hearing};

/// A message and one of its handlers, about to be noted.
pub struct Noted<App, M, H>(PhantomData<(App, M, H)>);

impl<App, M, H> Default for Noted<App, M, H> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// A command or a query that is data.
pub trait NoteAnswered<App> {
    /// Notes it.
    fn note_answered(&self, entries: &mut Entries<App>);
}

impl<App, M> NoteAnswered<App> for Noted<App, M, ()>
where
    App: Application,
    M: HandledBy<App> + DeserializeOwned,
    M::Reply: Serialize,
{
    fn note_answered(&self, entries: &mut Entries<App>) {
        entries.message::<M>(|app| answering::<App, M, AsJson>(app));
        entries.answering_job::<M>();
    }
}

/// A command or a query that is no data.
pub trait NoteAnsweredByType<App> {
    /// Notes it.
    fn note_answered(&self, entries: &mut Entries<App>);
}

impl<App: Application, M: HandledBy<App>> NoteAnsweredByType<App> for &Noted<App, M, ()> {
    fn note_answered(&self, entries: &mut Entries<App>) {
        entries.message::<M>(|app| answering::<App, M, NotJson>(app));
    }
}

/// An event that is data.
pub trait NoteHeard<App> {
    /// Notes it.
    fn note_heard(&self, entries: &mut Entries<App>);
}

impl<App: Application, E: HeardBy<App> + DeserializeOwned> NoteHeard<App> for Noted<App, E, ()> {
    fn note_heard(&self, entries: &mut Entries<App>) {
        entries.message::<E>(|app| hearing::<App, E, AsJson>(app));
    }
}

/// An event that is no data.
pub trait NoteHeardByType<App> {
    /// Notes it.
    fn note_heard(&self, entries: &mut Entries<App>);
}

impl<App: Application, E: HeardBy<App>> NoteHeardByType<App> for &Noted<App, E, ()> {
    fn note_heard(&self, entries: &mut Entries<App>) {
        entries.message::<E>(|app| hearing::<App, E, NotJson>(app));
    }
}

/// A handler of an event that is data.
pub trait NoteListener<App> {
    /// Notes its jobs.
    fn note_listener(&self, entries: &mut Entries<App>);
}

impl<App, E, H> NoteListener<App> for Noted<App, E, H>
where
    App: Application,
    E: Event + DeserializeOwned,
    H: Hear<App, E> + MessageHandler,
{
    fn note_listener(&self, entries: &mut Entries<App>) {
        entries.hearing_job::<E, H>();
    }
}

/// A handler of an event that is no data: there are no jobs of it.
pub trait NoteNoListener<App> {
    /// Notes nothing.
    fn note_listener(&self, _entries: &mut Entries<App>) {}
}

impl<App, E, H> NoteNoListener<App> for &Noted<App, E, H> {}

/// An application with a local queue.
pub trait WithLocal<App> {
    /// Starts it.
    fn start_local(&self, application: &Arc<App>);

    /// Drains it.
    fn drain_local<'a>(&self, application: &'a App) -> BoxFuture<'a, ()>;
}

impl<App: Application + Has<Local<App>>> WithLocal<App> for Noted<App, (), ()> {
    fn start_local(&self, application: &Arc<App>) {
        Local::start(application);
    }

    fn drain_local<'a>(&self, application: &'a App) -> BoxFuture<'a, ()> {
        let local: &'a Local<App> = application.get();
        local.drain().boxed()
    }
}

/// An application without one.
pub trait WithoutLocal<App> {
    /// Does nothing.
    fn start_local(&self, _application: &Arc<App>) {}

    /// Does nothing.
    fn drain_local<'a>(&self, _application: &'a App) -> BoxFuture<'a, ()> {
        std::future::ready(()).boxed()
    }
}

impl<App> WithoutLocal<App> for &Noted<App, (), ()> {}

/// An application that submits its messages as jobs.
pub trait WithDurable<App> {
    /// Connects it to what takes them.
    fn connect_durable(&self, application: &App, submitter: &Arc<dyn Submitter>);
}

impl<App: Application + Has<Durable<App>>> WithDurable<App> for Noted<App, (), ()> {
    fn connect_durable(&self, application: &App, submitter: &Arc<dyn Submitter>) {
        let durable: &Durable<App> = application.get();
        durable.connect(submitter.clone());
    }
}

/// An application that does not.
pub trait WithoutDurable<App> {
    /// Does nothing.
    fn connect_durable(&self, _application: &App, _submitter: &Arc<dyn Submitter>) {}
}

impl<App> WithoutDurable<App> for &Noted<App, (), ()> {}

/// A message that an application records, and that is data.
pub trait Records<App, M> {
    /// Records it, if somebody wants it.
    fn record(&self, app: &App, how: How, message: &M);
}

impl<App: Has<Recorder>, M: Message + Serialize> Records<App, M> for Noted<App, M, ()> {
    fn record(&self, app: &App, how: How, message: &M) {
        app.get().record(how, message);
    }
}

/// One that is no data.
pub trait RecordsName<App, M> {
    /// Records its name, if somebody wants it.
    fn record(&self, app: &App, how: How, message: &M);
}

impl<App: Has<Recorder>, M: Message> RecordsName<App, M> for &Noted<App, M, ()> {
    fn record(&self, app: &App, how: How, _message: &M) {
        app.get().record_name::<M>(how);
    }
}
