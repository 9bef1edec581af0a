//! What goes around handlers: checks, logs, transactions, another try. Layers are composed when the application is compiled.

use std::future::Future;

use crate::call::Call;
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
pub trait Next<App: ?Sized, M: Answered>: Copy + Send {
    /// Goes on.
    fn run(self, app: &App, message: M) -> impl Future<Output = Result<M::Reply>> + Send;
}

/// The handler itself. For `dispatcher!`.
#[derive(Debug)]
pub struct Inmost<'a, H>(pub &'a H);

/// A layer around the rest. For `dispatcher!`.
#[derive(Debug)]
pub struct Around<'a, L, N>(pub &'a L, pub N);

impl<H> Clone for Inmost<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for Inmost<'_, H> {}

impl<L, N: Copy> Clone for Around<'_, L, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, N: Copy> Copy for Around<'_, L, N> {}

impl<App: ?Sized, M: Answered, H: Call<App, M> + Sync> Next<App, M> for Inmost<'_, H> {
    #[inline]
    fn run(self, app: &App, message: M) -> impl Future<Output = Result<M::Reply>> + Send {
        self.0.call(app, message)
    }
}

impl<App: ?Sized, M: Answered, L: Layer<App, M> + Sync, N: Next<App, M>> Next<App, M> for Around<'_, L, N> {
    #[inline]
    fn run(self, app: &App, message: M) -> impl Future<Output = Result<M::Reply>> + Send {
        self.0.around(app, message, self.1)
    }
}
