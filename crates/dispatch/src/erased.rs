//! Dispatch of messages that are known at run time only, by type or by name: a look-up in a table, and a place for the
//! handler's future that is used again and again.

use std::any::{Any, TypeId};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use windlass_core::Payload;

use crate::application::{Application, Table};
use crate::error::Result;
use crate::slot::{Slot, unknown};

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
    /// Room for each message of the table that has come.
    rooms: Vec<Option<Box<dyn Slot<'a> + 'a>>>,
    /// What came latest, its place, and its room while it is the latest.
    latest: (TypeId, usize, Option<Box<dyn Slot<'a> + 'a>>),
}

impl<'a, App: Application> Erased<'a, App> {
    /// A dispatcher without any room yet.
    pub fn new(app: &'a App) -> Self {
        let table = App::table();
        let rooms = table.messages.iter().map(|_| None).collect();
        Self { app, table, rooms, latest: (TypeId::of::<App>(), 0, None) }
    }

    /// Calls the handler of a command or a query, or all handlers of an event. `message` is an `Option` of one, which is
    /// taken; what comes back is an `Option` of its reply, `()` for an event.
    ///
    /// # Errors
    ///
    /// The handler's, and `UNKNOWN_MESSAGE` for what the application has no handler for.
    #[inline]
    pub fn dispatch<'s, 'm>(&'s mut self, message: &'m mut (dyn Any + Send)) -> Dispatch<'s, 'm, 'a> {
        Dispatch { slot: self.room((*message).type_id()), message: Some(message) }
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
        let Some(slot) = self.room(self.table.messages[place].carried_as) else {
            return Err(unknown(&format!("{name:?}")));
        };
        slot.read(json)?;
        let mut running = Dispatch { slot: Some(slot), message: None };
        poll_fn(|poller| running.go_on(poller)).await?.write()
    }

    /// Room for a message that comes as this type; nothing where nobody handles it.
    #[inline]
    fn room(&mut self, carried_as: TypeId) -> Option<&mut (dyn Slot<'a> + 'a)> {
        // Messages of one type often come one after the other.
        if self.latest.0 != carried_as {
            self.change(carried_as)?;
        }
        self.latest.2.as_deref_mut()
    }

    /// Puts the room of the latest back, and takes out that of another, made now if not before.
    #[inline]
    fn change(&mut self, carried_as: TypeId) -> Option<()> {
        let place = *self.table.by_type.get(&carried_as)?;
        let found = self.rooms[place].take();
        let room = found.unwrap_or_else(|| (self.table.messages[place].slot)(self.app));
        let before = std::mem::replace(&mut self.latest, (carried_as, place, Some(room)));
        if before.2.is_some() {
            self.rooms[before.1] = before.2;
        }
        Some(())
    }
}

/// A message under way to its handlers. Who drops it drops them.
#[must_use = "nothing happens before it is awaited"]
pub struct Dispatch<'s, 'm, 'a> {
    /// Nothing where nobody handles it, and when it is over.
    slot: Option<&'s mut (dyn Slot<'a> + 'a)>,
    /// The message, until its handler has begun.
    message: Option<&'m mut (dyn Any + Send)>,
}

impl<'s, 'a> Dispatch<'s, '_, 'a> {
    #[inline]
    fn go_on(&mut self, poller: &mut Poller<'_>) -> Poll<Result<&'s mut (dyn Slot<'a> + 'a)>> {
        let Some(slot) = &mut self.slot else {
            return Poll::Ready(Err(unknown("an `Option` of no message that has a handler here")));
        };
        let polled = match self.message.take() {
            Some(message) => slot.start(message, poller),
            None => slot.poll(poller),
        };
        let done = ready!(polled);
        match (done, self.slot.take()) {
            (Ok(()), Some(slot)) => Poll::Ready(Ok(slot)),
            (Ok(()), None) => Poll::Pending,
            (Err(error), _) => Poll::Ready(Err(error)),
        }
    }
}

impl<'s> Future for Dispatch<'s, '_, '_> {
    type Output = Result<&'s mut (dyn Any + Send)>;

    #[inline]
    fn poll(self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<Self::Output> {
        self.get_mut().go_on(poller).map_ok(|slot| slot.reply())
    }
}

impl Drop for Dispatch<'_, '_, '_> {
    #[inline]
    fn drop(&mut self) {
        if let (Some(slot), None) = (&mut self.slot, &self.message) {
            slot.cancel();
        }
    }
}

impl<App: Application> std::fmt::Debug for Erased<'_, App> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.table.messages.iter().map(|entry| entry.name)).finish()
    }
}
