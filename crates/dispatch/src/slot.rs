//! Room for the future of one kind of message, used again and again.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_core::Payload;

use crate::dispatcher::{HandledBy, HeardBy, Unheard};
use crate::error::{Error, Result};
use crate::extract::{Input, Json};

/// Room for the future of one kind of message.
pub(crate) trait Slot<'a>: Send {
    /// Takes the message and begins.
    fn start(&mut self, message: &mut dyn Any, poller: &mut Poller<'_>) -> Poll<Result<()>>;

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
    reused::<E, (), J, _>(move |event: E| async move { event.heard_by(app).await.map_err(Unheard::into_error) })
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
    fn start(&mut self, message: &mut dyn Any, poller: &mut Poller<'_>) -> Poll<Result<()>> {
        match message.downcast_mut::<Option<M>>().and_then(Option::take) {
            Some(message) => {
                self.future.set(Some((self.make)(message)));
                self.poll(poller)
            }
            None => Poll::Ready(Err(unknown("`None`: it was taken already"))),
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

#[cold]
pub(crate) fn unknown(what: &str) -> Error {
    Error::permanent(format!("this application cannot dispatch {what}")).code("UNKNOWN_MESSAGE")
}
