//! The macros of Windlass: `#[job]` and `#[handler]` make handlers of plain functions, `dispatcher!` an application of handlers.
//!
//! # Layout
//!
//! - [`macro@job`], [`macro@handler`], [`derive@Command`], [`derive@Query`], [`derive@Event`], [`macro@dispatcher`]: all logic is
//!   in `expand`, plain functions over token streams
//! - `expand::options` reads what stands in `#[job(…)]`, `expand::setting` one option of it, `expand::unique` that of this name
//! - `expand::signature` reads the function's arguments and result, `expand::ownership` refuses borrowed types
//! - `expand::emit` writes the handler of a job, `expand::handler` that of a message
//! - `expand::message` writes what a message is, `expand::dispatcher` who handles it
//! - `expand::complaints` gathers mistakes, so that one build names them all
//!
//! ```standalone_crate
//! # extern crate self as windlass;
//! # pub mod __job {
//! #     pub use windlass_core::{Priority, Status, Unique};
//! #     pub use windlass_dispatch::{Context, Error, FromContext, Handler, HandlerOptions, Needs, NoInput, Result};
//! #     pub use std::time::Duration;
//! # }
//! // An application takes all of these from `windlass`.
//! use windlass_dispatch::{Handler, Json, Result, Router, State};
//! use windlass_macros::job;
//!
//! /// Greets in the language of the house.
//! #[job(retries = 5, timeout = "2m")]
//! async fn greet(Json(name): Json<String>, State(greeting): State<&'static str>) -> Result<Json<String>> {
//!     Ok(Json(format!("{greeting}, {name}!")))
//! }
//!
//! # fn main() -> std::result::Result<(), windlass_dispatch::BuildError> {
//! let routes = Router::new().handler(greet).state("Ahoy").build()?;
//! assert!(routes.find("Greet").is_some());
//! assert_eq!(greet.options().retries, Some(5));
//! # Ok(())
//! # }
//! ```

mod expand;

use proc_macro::TokenStream;

/// Makes a job handler of an async function.
///
/// The function's name becomes a value of its own type that implements `Handler`: pass it to `.handler(…)`, submit
/// jobs for it, or run it in place.
///
/// **Arguments.** The input comes first, if there is one: `Json<T>`, `Text`, `Binary` or `NoInput`, told by the last
/// word of the type's path (a type alias is not seen through). Every other argument is read from the attempt's
/// context: `Context`, `State<S>`, `Headers`, `Route`, `Query`, `Request`, `Attempt`, or a type of yours that
/// implements `FromContext`. A `State<S>` that the application lacks is an error when the application is built.
///
/// **Result.** `Result<T>` or `Result<T, E>` where `E` converts into `windlass::Error` (every `std::error::Error`
/// does), or a plain `T`; `T` implements `IntoPayload`: `Json<T>`, `Text`, `Binary`, `String`, `()`, …
///
/// **Options**, all of them optional:
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = "ProcessData"` | the name that jobs are stored under, 1 to 128 of `A-Z a-z 0-9 . _ : -` | the function's name in `UpperCamelCase` |
/// | `queue = "reports"` | the queue | `default` |
/// | `priority = 3` | the place in the queue, 0 (first) to 9 (last) | 5 |
/// | `retries = 5` | retries after the first attempt, 1 000 at most | the engine's `max_retries` |
/// | `retry_delay_base = "2s"` | upper bound of the first delay | the engine's `retry_delay_base` |
/// | `retry_delay_cap = "1h"` | upper bound of every delay | one hour |
/// | `timeout = "2m"` | how long one attempt may run, more than zero | the engine's `job_timeout` |
/// | `unique(…)` | by what and while what holds there is one such job at a time, as below | any number |
///
/// Durations are numbers with units (`500ms`, `30s`, `2m`, `1h 30m`, `7d`) or ISO 8601 (`PT5M`, `P1DT2H`; no years or months), ten
/// years at most.
///
/// **Unique.** `unique(…)` says by what jobs are the same: `key = "nightly"` (all of them, 1 to 256 bytes), `fields = ["userId",
/// "/order/id"]` (those with the same values in 1 to 16 fields of their JSON input) or `input` (those with the same input). Beside
/// that may stand `in_queue`, `states = [Queued, Scheduled]`, `within = "10m"`, `replace`, `cancel_running` and `extend`; each means what the method
/// of `Unique` with its name does. A submission's own `.unique(…)` takes the place of all of it, `.unique(None)` of a job that is
/// not unique.
///
/// Keep `name` when you rename the function: waiting jobs carry it.
///
/// Other attributes stay with the function's body, except documentation, `cfg` and `deprecated`, which describe the
/// handler. As with every unit struct, a local variable in the same scope cannot have the handler's name.
#[proc_macro_attribute]
pub fn job(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::job(options.into(), item.into()).into()
}

/// Makes a handler of messages of a function: it is called in process at the cost of a call, and runs as a job.
///
/// **Arguments.** The message comes first: a command or a query by value, an event by reference. Every other argument is a
/// value that the application shares, by reference: a field of the struct in [`dispatcher!`](macro@dispatcher), or
/// for a job what `.state(…)` was given. A missing one is an error when the dispatcher is compiled, or when the
/// application is built.
///
/// **Result.** A command's or a query's handler returns its reply, or a `Result` of it; an event's returns nothing, or
/// `Result<()>`. The function may be async or not.
///
/// **As a job** it takes its message as JSON, so the message implements serde's `Deserialize`, and a reply `Serialize`; those
/// that never are jobs need neither. The options are those of [`#[job]`](macro@job).
#[proc_macro_attribute]
pub fn handler(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler(options.into(), item.into()).into()
}

/// Makes a type a command: a message that asks for something to be done, with exactly one handler.
///
/// `#[message(reply = OrderId)]` names what the handler answers (default `()`), `name = "CreateOrder"` its name on the
/// wire (default the type's), `version = 2` the version of its shape (default 1).
#[proc_macro_derive(Command, attributes(message))]
pub fn command(item: TokenStream) -> TokenStream {
    expand::message(expand::Kind::Command, item.into()).into()
}

/// Makes a type a query: a message that asks what is so, with exactly one handler. Options as for a
/// [`Command`](derive@Command).
#[proc_macro_derive(Query, attributes(message))]
pub fn query(item: TokenStream) -> TokenStream {
    expand::message(expand::Kind::Query, item.into()).into()
}

/// Makes a type an event: a message that says what has happened, with any number of handlers. Options as for a
/// [`Command`](derive@Command), without `reply`.
#[proc_macro_derive(Event, attributes(message))]
pub fn event(item: TokenStream) -> TokenStream {
    expand::message(expand::Kind::Event, item.into()).into()
}

/// Makes an application of a struct: its fields are what handlers share, and below it stands who handles what.
///
/// First comes a struct with named fields, no two of one type. Then `commands { CreateOrder => create_order }`,
/// `queries { PriceOf => price_of }` and `events { OrderCreated => [send_mail, count_order] }`, each where there are any. The
/// manual (docs/messages.md) shows one whole.
///
/// Sending a message is a call of its handler, found by the compiler: a missing handler, a second one, or a shared value that
/// there is no field for, does not compile.
#[proc_macro]
pub fn dispatcher(input: TokenStream) -> TokenStream {
    expand::dispatcher(input.into()).into()
}
