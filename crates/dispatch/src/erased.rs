//! Dispatch of messages that are known at run time only, by type or by name: a look-up in a table, and a place for the
//! handler's future that is used again and again.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_core::Payload;

use crate::application::{Application, Entries, Entry};
use crate::dispatcher::{HandledBy, HeardBy};
use crate::error::{Error, Result};
use crate::extract::{Input, Json};

/// The messages of an application, by type and by name. `dispatcher!` keeps it.
pub struct Table<App> {
    messages: Vec<Entry<App>>,
    by_type: HashMap<TypeId, usize, BuildHasherDefault<TypeHasher>>,
    /// Nowhere, where two messages have one name.
    by_name: HashMap<&'static str, Option<usize>>,
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
struct TypeHasher(u64);

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

/// Dispatches messages of any type to the handlers of one application, one after the other. It keeps room for one future of
/// each message that it has seen, so that only the first of a kind allocates; make one for each task that dispatches.
///
/// ```
/// # use windlass_dispatch::{Application, Erased, Result};
/// # async fn dispatch(orders: &impl Application) -> Result<()> {
/// let mut erased = Erased::new(orders);
/// let reply = erased.dispatch_json("CreateOrder", br#"{ "sku": "rope" }"#).await?;
/// println!("{}", String::from_utf8_lossy(&reply.bytes));
/// # Ok(())
/// # }
/// ```
pub struct Erased<'a, App: Application> {
    app: &'a App,
    table: &'static Table<App>,
    slots: Vec<Option<Box<dyn Slot<'a> + 'a>>>,
}

impl<'a, App: Application> Erased<'a, App> {
    /// A dispatcher without any room yet.
    pub fn new(app: &'a App) -> Self {
        let table = App::table();
        Self { app, table, slots: table.messages.iter().map(|_| None).collect() }
    }

    /// Calls the handler of a command or a query, or all handlers of an event. `message` is an `Option` of one, which is
    /// taken; what comes back is an `Option` of its reply, `()` for an event.
    ///
    /// # Errors
    ///
    /// The handler's, and `UNKNOWN_MESSAGE` for what the application has no handler for.
    pub async fn dispatch(&mut self, message: &mut (dyn Any + Send)) -> Result<&mut (dyn Any + Send)> {
        let carried_as = (*message).type_id();
        let Some(place) = self.table.by_type.get(&carried_as) else {
            return Err(unknown("an `Option` of no message that has a handler here"));
        };
        let mut running = Running(Some(slot_at(&mut self.slots, *place, self.table, self.app)));
        if !running.slot().start(message) {
            return Err(unknown("`None`: it was taken already"));
        }
        Ok(running.run().await?.reply())
    }

    /// Calls the handlers of the message that is called `name` and whose content is `json`. What comes back is the reply as
    /// JSON, and `null` for an event.
    ///
    /// # Errors
    ///
    /// The handler's, `UNKNOWN_MESSAGE` for a name that no message has or that two have, and `BAD_INPUT` for what cannot be
    /// read.
    pub async fn dispatch_json(&mut self, name: &str, json: &[u8]) -> Result<Payload> {
        let place = match self.table.by_name.get(name) {
            Some(Some(place)) => *place,
            Some(None) => return Err(unknown(&format!("{name:?}, which two messages are called: rename one"))),
            None => return Err(unknown(&format!("{name:?}, which no message is called"))),
        };
        let mut running = Running(Some(slot_at(&mut self.slots, place, self.table, self.app)));
        running.slot().read(json)?;
        running.run().await?.write()
    }
}

impl<App: Application> std::fmt::Debug for Erased<'_, App> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.table.messages.iter().map(|entry| entry.name)).finish()
    }
}

#[cold]
fn unknown(what: &str) -> Error {
    Error::permanent(format!("this application cannot dispatch {what}")).code("UNKNOWN_MESSAGE")
}

#[inline]
fn slot_at<'s, 'a, App>(
    slots: &'s mut [Option<Box<dyn Slot<'a> + 'a>>],
    place: usize,
    table: &Table<App>,
    app: &'a App,
) -> &'s mut (dyn Slot<'a> + 'a) {
    &mut **slots[place].get_or_insert_with(|| (table.messages[place].slot)(app))
}

/// A handler under way, which is dropped with whoever waits for it.
struct Running<'s, 'a>(Option<&'s mut (dyn Slot<'a> + 'a)>);

impl<'s, 'a> Running<'s, 'a> {
    fn slot(&mut self) -> &mut (dyn Slot<'a> + 'a) {
        &mut **self.0.as_mut().expect("is there until it has run")
    }

    async fn run(mut self) -> Result<&'s mut (dyn Slot<'a> + 'a)> {
        let done = poll_fn(|poller| self.slot().poll(poller)).await;
        let slot = self.0.take().expect("is there until it has run");
        done.map(|()| slot)
    }
}

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.cancel();
        }
    }
}

/// Room for the future of one kind of message.
pub(crate) trait Slot<'a>: Send {
    /// Takes the message and begins; `false` where there is none.
    fn start(&mut self, message: &mut dyn Any) -> bool;

    /// Begins with a message that is read from JSON.
    fn read(&mut self, json: &[u8]) -> Result<()>;

    /// Goes on; what has come to its end leaves nothing behind but its reply.
    fn poll(&mut self, poller: &mut Poller<'_>) -> Poll<Result<()>>;

    /// The reply, within an `Option`.
    fn reply(&mut self) -> &mut (dyn Any + Send);

    /// The reply as JSON.
    fn write(&mut self) -> Result<Payload>;

    /// Drops the future.
    fn cancel(&mut self);
}

struct Reused<Make, F, M, R, J> {
    make: Make,
    future: Pin<Box<Option<F>>>,
    reply: Option<R>,
    types: PhantomData<fn(M, J)>,
}

/// Room for a command or a query.
pub(crate) fn answering<'a, App, M: HandledBy<App>, J: Form<M, M::Reply>>(app: &'a App) -> Box<dyn Slot<'a> + 'a>
where
    App: Sync,
{
    reused::<M, M::Reply, J, _>(move |message: M| message.handled_by(app))
}

/// Room for an event.
pub(crate) fn hearing<'a, App, E: HeardBy<App>, J: Form<E, ()>>(app: &'a App) -> Box<dyn Slot<'a> + 'a>
where
    App: Sync,
{
    reused::<E, (), J, _>(move |event: E| async move { Ok(event.heard_by(app).await?) })
}

fn reused<'a, M, R, J, F>(make: impl Fn(M) -> F + Send + 'a) -> Box<dyn Slot<'a> + 'a>
where
    M: Send + 'static,
    R: Send + 'static,
    J: Form<M, R>,
    F: Future<Output = Result<R>> + Send + 'a,
{
    Box::new(Reused { make, future: Box::pin(None), reply: None, types: PhantomData::<fn(M, J)> })
}

impl<'a, Make, F, M, R, J> Slot<'a> for Reused<Make, F, M, R, J>
where
    Make: Fn(M) -> F + Send,
    F: Future<Output = Result<R>> + Send,
    M: Send + 'static,
    R: Send + 'static,
    J: Form<M, R>,
{
    #[inline]
    fn start(&mut self, message: &mut dyn Any) -> bool {
        match message.downcast_mut::<Option<M>>().and_then(Option::take) {
            Some(message) => {
                self.future.set(Some((self.make)(message)));
                true
            }
            None => false,
        }
    }

    fn read(&mut self, json: &[u8]) -> Result<()> {
        let message = J::read(json)?;
        self.future.set(Some((self.make)(message)));
        Ok(())
    }

    #[inline]
    fn poll(&mut self, poller: &mut Poller<'_>) -> Poll<Result<()>> {
        let Some(running) = self.future.as_mut().as_pin_mut() else {
            return Poll::Ready(Err(unknown("what was not begun")));
        };
        let done = ready!(running.poll(poller));
        self.future.set(None);
        Poll::Ready(done.map(|reply| self.reply = Some(reply)))
    }

    fn reply(&mut self) -> &mut (dyn Any + Send) {
        &mut self.reply
    }

    fn write(&mut self) -> Result<Payload> {
        J::write(self.reply.take())
    }

    fn cancel(&mut self) {
        self.future.set(None);
    }
}

/// Whether a message can come as JSON.
pub(crate) trait Form<M, R>: 'static {
    fn read(json: &[u8]) -> Result<M>;

    fn write(reply: Option<R>) -> Result<Payload>;
}

/// It and its reply are data.
pub(crate) struct AsJson;

/// They are not.
pub(crate) struct NotJson;

impl<M: DeserializeOwned + Send + 'static, R: Serialize> Form<M, R> for AsJson {
    fn read(json: &[u8]) -> Result<M> {
        Json::read(&Payload::new(windlass_core::payload::JSON, json.to_vec())).map(|Json(message)| message)
    }

    fn write(reply: Option<R>) -> Result<Payload> {
        Ok(Payload::json(&reply)?)
    }
}

impl<M, R> Form<M, R> for NotJson {
    fn read(_json: &[u8]) -> Result<M> {
        let advice =
            "the message cannot be dispatched by name: derive `Deserialize` for it, and `Serialize` for its reply";
        Err(Error::permanent(advice).code("UNKNOWN_MESSAGE"))
    }

    fn write(_reply: Option<R>) -> Result<Payload> {
        Ok(Payload::empty())
    }
}
