//! What goes around handlers: checks, logs, transactions, another try. Layers are composed when the application is compiled.

use std::future::Future;
use std::marker::PhantomData;

use crate::call::{Call, Has, MessageHandler};
use crate::error::Result;
use crate::message::Answered;

/// Goes around handlers of messages of type `M` in an application. `dispatcher!` puts it where it is listed:
/// `commands [Log, Transaction] { … }` calls `Log`, which calls `Transaction`, which calls the handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot go around the handler of `{M}`",
    label = "no layer for `{M}`",
    note = "implement `Layer<App, M>` for it: for every `M: Answered`, or for the messages of this group"
)]
pub trait Layer<App: ?Sized, M: Answered> {
    /// Does its part, and calls `next` for the rest: once, not at all, or again.
    fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> impl Future<Output = Result<M::Reply>> + Send;
}

/// What is inside a layer: the layers after it, and the handler.
pub trait Next<App: ?Sized, M: Answered>: Copy + Send + Sync {
    /// Goes on.
    fn run(self, app: &App, message: M) -> impl Future<Output = Result<M::Reply>> + Send;
}

/// The handler itself. For `dispatcher!`.
pub struct Inmost<H>(PhantomData<fn() -> H>);

/// A layer around the rest. For `dispatcher!`. Like the rest it takes no room: a layer is found in the application when its
/// turn comes, because each future would keep what is passed on.
pub struct Around<L, N>(PhantomData<fn() -> (L, N)>);

impl<H> Default for Inmost<H> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<L, N> Default for Around<L, N> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<H> Clone for Inmost<H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for Inmost<H> {}

impl<L, N> Clone for Around<L, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, N> Copy for Around<L, N> {}

impl<App: ?Sized, M: Answered, H: Call<App, M> + MessageHandler> Next<App, M> for Inmost<H> {
    #[inline]
    fn run(self, app: &App, message: M) -> impl Future<Output = Result<M::Reply>> + Send {
        H::IT.call(app, message)
    }
}

impl<App, M, L, N> Next<App, M> for Around<L, N>
where
    App: ?Sized + Has<L>,
    M: Answered,
    L: Layer<App, M> + 'static,
    N: Next<App, M> + Default,
{
    #[inline]
    fn run(self, app: &App, message: M) -> impl Future<Output = Result<M::Reply>> + Send {
        Has::<L>::get(app).around(app, message, N::default())
    }
}
