//! Cascades: messages that a handler returns beside its reply.

use std::future::Future;

use crate::error::Result;

/// A reply and a message that follows from it: `-> Result<Then<OrderId, OrderCreated>>`. The message is sent on where the
/// `dispatcher!` routes it: called before the caller has its reply, spawned, or submitted as a job. For more than one,
/// nest them.
///
/// Where the message cannot be sent on, the handler has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Then<R, M>(pub R, pub M);

/// A message of `App` that a handler may return. `dispatcher!` writes it for each.
#[diagnostic::on_unimplemented(
    message = "`{App}` does not know where `{Self}` goes",
    label = "not a message of `{App}`",
    note = "write `{Self} => …` below `commands` or `events` in the `dispatcher!` of `{App}`"
)]
pub trait Follow<App: ?Sized>: Send + Sized {
    /// Sends it where it is routed.
    fn follow(self, app: &App) -> impl Future<Output = Result<()>> + Send;
}

impl<App: ?Sized + Sync, M: Follow<App>> Follow<App> for Option<M> {
    async fn follow(self, app: &App) -> Result<()> {
        match self {
            Some(message) => message.follow(app).await,
            None => Ok(()),
        }
    }
}

impl<App: ?Sized + Sync, M: Follow<App>> Follow<App> for Vec<M> {
    async fn follow(self, app: &App) -> Result<()> {
        for message in self {
            message.follow(app).await?;
        }
        Ok(())
    }
}
