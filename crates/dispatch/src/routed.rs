//! Handlers with their types erased, as the router keeps them.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};

use crate::context::Context;
use crate::extract::Input;
use crate::handler::{Handler, HandlerOptions};
use crate::message_context::within_job;
use crate::reply::Conclusion;
use crate::states::Needs;

/// One handler with its types erased.
pub trait Routed: Send + Sync {
    /// Runs one attempt. One allocation.
    fn call(self: Arc<Self>, cx: Context) -> BoxFuture<'static, Conclusion>;

    /// The defaults for its jobs.
    fn options(&self) -> HandlerOptions;

    /// The shared values that it needs.
    fn needs(&self) -> Needs;
}

impl<H: Handler> Routed for H {
    fn call(self: Arc<Self>, cx: Context) -> BoxFuture<'static, Conclusion> {
        let context = cx.clone();
        let attempt = async move {
            match H::Input::read(cx.payload()) {
                Ok(input) => self.run(input, cx).await.into(),
                Err(error) => Conclusion::Failed(error),
            }
        };
        within_job::<H::Input, _>(context, attempt).boxed()
    }

    fn options(&self) -> HandlerOptions {
        Handler::options(self)
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        Handler::needs(self, &mut needs);
        needs
    }
}
