//! An application's own dispatcher: who handles what is decided when it is compiled.

use std::fmt;
use std::future::Future;

use windlass_core::{ErrorClass, JobError};

use crate::error::{Error, Result};
use crate::handler::HandlerOptions;
use crate::message::{Answered, Event};

/// A command or a query with a handler in `App`. `dispatcher!` writes it.
#[diagnostic::on_unimplemented(
    message = "`{App}` has no handler for `{Self}`",
    label = "nobody handles `{Self}`",
    note = "write `{Self} => your_handler` below `commands` or `queries` in the `dispatcher!` of `{App}`"
)]
pub trait HandledBy<App: ?Sized>: Answered {
    /// What its handler's jobs are called.
    const JOB: &'static str;

    /// How its handler's jobs are queued, retried and timed.
    fn job_options() -> HandlerOptions;

    /// Calls the handler.
    fn handled_by(self, app: &App) -> impl Future<Output = Result<Self::Reply>> + Send;
}

/// The same where the handler is a plain function.
#[diagnostic::on_unimplemented(
    message = "`{App}` cannot answer `{Self}` at once",
    label = "the handler of `{Self}` is async, or there is none",
    note = "use `send` or `query`, or take the `async` from the handler's function and the layers from around it"
)]
pub trait HandledNowBy<App: ?Sized>: Answered {
    /// Calls the handler.
    fn handled_now_by(self, app: &App) -> Result<Self::Reply>;
}

/// An event that is published in `App`. `dispatcher!` writes it.
#[diagnostic::on_unimplemented(
    message = "nobody in `{App}` hears `{Self}`",
    label = "`{Self}` is not published here",
    note = "write `{Self} => [your_handler, …]` below `events` in the `dispatcher!` of `{App}`; `[]` will do"
)]
pub trait HeardBy<App: ?Sized>: Event {
    /// Calls all handlers, one after the other, in the order in which they are written. Each is called although others
    /// fail.
    fn heard_by(&self, app: &App) -> impl Future<Output = Result<(), Unheard>> + Send;
}

/// Handlers of an event that failed; the others have heard it.
#[derive(Debug, Default)]
pub struct Unheard {
    failures: Vec<(&'static str, Error)>,
}

impl Unheard {
    /// Notes a failure. For `dispatcher!`.
    #[cold]
    pub fn add(&mut self, handler: &'static str, error: Error) {
        self.failures.push((handler, error));
    }

    /// Nothing where all have heard it. For `dispatcher!`.
    #[inline]
    pub fn into_result(self) -> Result<(), Self> {
        if self.failures.is_empty() { Ok(()) } else { Err(self) }
    }

    /// A handler's error in its place: permanent if no other try can help, else of the class of the first that may pass. That of a
    /// single handler keeps its code.
    pub fn into_error(self) -> Error {
        let passing =
            self.failures.iter().map(|(_, error)| error.class()).find(|class| *class != ErrorClass::Permanent);
        let code = match &self.failures[..] {
            [(_, only)] => only.described().code.clone(),
            _ => JobError::HANDLER.into(),
        };
        Error::new(passing.unwrap_or(ErrorClass::Permanent), JobError::from_error(code, &self))
    }

    /// The failed handlers by name, in their order.
    pub fn failures(&self) -> &[(&'static str, Error)] {
        &self.failures
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (handler, error)) in self.failures.iter().enumerate() {
            let before = if place == 0 { "" } else { "; " };
            write!(f, "{before}{handler}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unheard {}
