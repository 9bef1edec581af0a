// What the façade `windlass` offers to `#[job]`, for tests on the floor below it.
extern crate self as windlass;

/// What the expansion names.
pub mod __job {
    pub use serde::{Deserialize, Serialize};
    pub use std::time::Duration;
    pub use windlass_core::Priority;
    pub use windlass_dispatch::layer;
    pub use windlass_dispatch::message::{self, Answered, Event, Message};
    pub use windlass_dispatch::{
        Call, CallNow, Context, Error, FromContext, Handler, HandlerOptions, HandledBy, HandledNowBy, Has,
        Hear, HeardBy, IsReply, Json, Needs, NoInput, Reply, Result, Unheard,
    };
}
