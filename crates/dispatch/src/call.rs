//! How a handler is called in process: no payload, no look-up, no allocation. `#[handler]` writes these traits beside
//! [`Handler`](crate::Handler), which runs the same function as a durable job.

use std::future::Future;

use crate::error::Result;
use crate::handler::HandlerOptions;
use crate::message::{Answered, Event};

/// An application that holds a value which handlers take by reference. `dispatcher!` writes it for each field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` holds no `{S}`",
    label = "`&{S}` is shared here",
    note = "add a field of type `{S}` to the struct in `dispatcher!`"
)]
pub trait Has<S> {
    /// The value.
    fn get(&self) -> &S;
}

/// What a handler of messages is whatever its application. `#[handler]` writes it.
pub trait MessageHandler: Send + Sync + 'static {
    /// The handler: it has nothing of its own.
    const IT: &'static Self;

    /// What its jobs are called, and what errors name.
    const JOB: &'static str;

    /// How its jobs are queued, retried and timed.
    fn job_options(&self) -> HandlerOptions {
        HandlerOptions::default()
    }
}

/// A handler of a command or a query.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer a `{M}`",
    label = "not its handler",
    note = "its handler takes a `{M}` first: `#[handler] async fn …(message: {M}) -> Result<Reply>`, where `Reply` is the one in `#[message(reply = …)]`"
)]
pub trait Call<App: ?Sized, M: Answered> {
    /// Calls it. The future is the function's own.
    fn call(&self, app: &App, message: M) -> impl Future<Output = Result<M::Reply>> + Send;
}

/// A handler of a command or a query that is a plain function, and can be called without a future.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has to be awaited",
    label = "an async handler",
    note = "use `send` or `query`, or take the `async` from its function"
)]
pub trait CallNow<'a, App: ?Sized, M: Answered> {
    /// Calls it.
    fn call_now(&self, app: &'a App, message: M) -> Result<M::Reply>;
}

/// A handler of an event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not hear a `{E}`",
    label = "not a handler of this event",
    note = "a handler of an event takes it by reference, first: `#[handler] async fn …(event: &{E}) -> Result<()>`"
)]
pub trait Hear<App: ?Sized, E: Event> {
    /// Calls it. The future is the function's own.
    fn hear(&self, app: &App, event: &E) -> impl Future<Output = Result<()>> + Send;
}

/// What is the reply that a message wants. Every type is its own.
#[diagnostic::on_unimplemented(
    message = "the message wants `{R}` for its reply, not `{Self}`",
    label = "not `{R}`",
    note = "return `{R}`, or write `#[message(reply = {Self})]` on the message"
)]
pub trait IsReply<R> {
    /// The reply.
    fn reply(self) -> R;
}

impl<R> IsReply<R> for R {
    #[inline]
    fn reply(self) -> R {
        self
    }
}
