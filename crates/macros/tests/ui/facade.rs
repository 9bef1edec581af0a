// What the façade `windlass` offers to `#[job]`, for tests on the floor below it.
extern crate self as windlass;

/// What the expansion names.
pub mod __job {
    pub use serde::{Deserialize, Serialize};
    pub use std::time::Duration;
    pub use windlass_core::{Priority, Status, Unique};
    pub use windlass_dispatch::message::{self, Answered, Event, Message};
    pub use windlass_dispatch::{
        Application, BoxFuture, Call, CallNow, Context, Durable, Entries, Error, Follow, FromContext, HandledBy,
        HandledNowBy, Handler, HandlerOptions, Has, Hear, HeardBy, How, IsReply, Json, Local, Mapped, MessageContext, MessageHandler, Needs, NoInput,
        Reply, Result, SpawnError, Submitter, Table, Then, Unheard,
    };
    pub use windlass_dispatch::{durable, layer, local, noted};
}
