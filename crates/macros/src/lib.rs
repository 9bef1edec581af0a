//! The `#[job]` attribute, which turns a plain async function into a handler.
//!
//! # Layout
//!
//! - [`macro@job`]: the attribute; all logic is in `expand`, plain functions over token streams
//! - `expand::options` reads what stands in `#[job(…)]`, `expand::setting` one option of it
//! - `expand::signature` reads the function's arguments and result, `expand::ownership` refuses borrowed types
//! - `expand::emit` writes the handler
//! - `expand::complaints` gathers mistakes, so that one build names them all
//!
//! ```standalone_crate
//! # extern crate self as windlass;
//! # pub mod __job {
//! #     pub use windlass_core::Priority;
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
///
/// Durations are numbers with units (`500ms`, `30s`, `2m`, `1h 30m`, `7d`), ten years at most.
///
/// Keep `name` when you rename the function: waiting jobs carry it.
///
/// Other attributes stay with the function's body, except documentation, `cfg` and `deprecated`, which describe the
/// handler. As with every unit struct, a local variable in the same scope cannot have the handler's name.
#[proc_macro_attribute]
pub fn job(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::job(options.into(), item.into()).into()
}
