//! The doing seam: how a handler is written, what it is given, and what it may answer. It knows no store, so a
//! handler compiles and is tested with nothing else.
//!
//! # Layout
//!
//! - [`handler`]: the [`Handler`] trait, which `#[job]` writes for a plain async function, and [`HandlerOptions`]
//! - [`context`]: [`Context`], a handler's view of the attempt it runs in: progress, cancellation, emitted jobs
//! - [`extract`]: what a handler's arguments may be: [`Json`], [`Text`], [`Binary`], [`State`], [`Headers`], …
//! - [`reply`]: what it may return: [`IntoPayload`], [`Conclusion`]
//! - [`message`]: what is sent inside an application: commands, queries and events
//! - [`call`]: how a handler is called in process, and what it shares
//! - `mapped`: what a handler's future comes to
//! - [`layer`]: [`Layer`], what goes around handlers
//! - [`layers`] and [`transaction`]: those that most applications want
//! - [`recorder`]: [`Recorder`], for tests: what was sent, published, submitted
//! - [`dispatcher`]: what `dispatcher!` makes of an application: the compiler finds who handles what
//! - [`application`]: its messages and handlers as a table, for jobs and for messages known at run time only
//! - [`erased`]: [`Erased`] dispatches those, by type or by name
//! - `slot`: room for their futures, used again and again
//! - [`parallel`]: [`Parallel`], many at once up to a bound
//! - [`local`]: [`Local`], an application's local queue; [`durable`]: [`Durable`], where it submits messages as jobs
//! - [`then`]: [`Then`], a reply and what follows from it
//! - [`lanes`]: [`Lanes`], one after the other by key
//! - [`policy`]: [`Policies`], ordered rules that decide how messages go
//! - [`envelope`]: [`Envelope`](envelope::Envelope), a message with all that is known of it, as it travels
//! - [`message_context`]: [`MessageContext`], what a handler may know of its message beside its content
//! - [`noted`]: finds out what each of its messages can do
//! - [`error`]: [`Error`] with its retry class, and [`Classify`] for `?`
//! - [`states`]: [`States`], the application's shared values by type
//! - [`routed`]: handlers with their types erased
//! - [`router`]: [`Router`] finds the handler of a job and checks at build that nothing is missing
//!
//! ```
//! use windlass_dispatch::{Context, Handler, Json, Result, Router};
//!
//! struct Double;
//!
//! impl Handler for Double {
//!     type Input = Json<u64>;
//!     type Output = Json<u64>;
//!     const NAME: &'static str = "Double";
//!
//!     async fn run(&self, Json(number): Json<u64>, _cx: Context) -> Result<Json<u64>> {
//!         Ok(Json(number * 2))
//!     }
//! }
//!
//! let routes = Router::new().handler(Double).build()?;
//! assert!(routes.find("Double").is_some());
//! # Ok::<(), windlass_dispatch::BuildError>(())
//! ```

pub mod application;
pub mod call;
pub mod context;
pub mod dispatcher;
pub mod durable;
pub mod envelope;
pub mod erased;
pub mod error;
pub mod extract;
pub mod handler;
pub mod lanes;
pub mod layer;
pub mod layers;
pub mod local;
mod mapped;
pub mod message;
pub mod message_context;
pub mod noted;
pub mod parallel;
pub mod policy;
pub mod recorder;
pub mod reply;
pub mod routed;
pub mod router;
mod slot;
pub mod states;
pub mod then;
pub mod transaction;

pub use application::{Application, Entries, Table};
pub use call::{Call, CallNow, Has, Hear, IsReply, MessageHandler};
pub use context::{Context, Run, Stop};
pub use dispatcher::{HandledBy, HandledNowBy, HeardBy, Unheard};
pub use durable::{Durable, Submitter};
pub use erased::{Dispatch, Erased};
pub use error::{Classify, Error, Result};
pub use extract::{
    Attempt, Binary, Encode, FromContext, Headers, Input, Json, NoInput, Query, Request, Route, State, Text,
};
pub use futures_util::future::BoxFuture;
pub use handler::{Handler, HandlerOptions};
pub use lanes::{LaneError, Lanes};
pub use layer::{Layer, Next};
pub use layers::{Logging, Retrying, Timing, Transactional, Validate, Validation};
pub use local::{Local, LocalOptions, SpawnError, Spawned};
pub use mapped::Mapped;
pub use message_context::MessageContext;
pub use parallel::Parallel;
pub use policy::{Decision, Policies, Policy, Strategy, Subject};
pub use recorder::{How, Recorded, Recorder};
pub use reply::{Conclusion, IntoPayload, Reply, Snooze};
pub use routed::Routed;
pub use router::{BuildError, Router, Routes};
pub use states::{Needs, States};
pub use then::{Follow, Then};
pub use transaction::Transaction;
