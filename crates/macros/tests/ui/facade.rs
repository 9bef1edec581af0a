// What the façade `windlass` offers to `#[job]`, for tests on the floor below it.
extern crate self as windlass;

/// What the expansion names.
pub mod __job {
    pub use std::time::Duration;
    pub use windlass_core::Priority;
    pub use windlass_dispatch::{Context, Error, FromContext, Handler, HandlerOptions, Needs, NoInput, Result};
}
