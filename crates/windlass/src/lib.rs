//! Work that must not be lost and must not block the caller: asynchronous APIs, background jobs, one engine.
//!
//! A client POSTs and gets `202 Accepted` with a job; the job runs in the background with retries and a time limit,
//! survives `kill -9`, and its result is read back. Nothing needs to be installed: the store is a file.
//!
//! ```no_run
//! use windlass::prelude::*;
//!
//! #[job(name = "Greet", retries = 5, timeout = "2m")]
//! async fn greet(Json(name): Json<String>, ctx: Context) -> Result<Json<String>> {
//!     ctx.progress(0.5).await;
//!     Ok(Json(format!("Hello, {name}!")))
//! }
//!
//! #[tokio::main]
//! async fn main() -> windlass::Result<()> {
//!     let windlass = Windlass::open("file:windlass-data").handler(greet).start().await?;
//!     let api = windlass.api().endpoint(post("/api/greet", greet)).job_routes("/jobs").into_router()?;
//!     Ok(windlass.serve("127.0.0.1:5000", api).await?)
//! }
//! ```
//!
//! From Rust the same job is submitted with `greet.submit(&windlass, "Ada".into()).delay(5.minutes()).await?`.
//!
//! # Layout
//!
//! - [`Windlass`] and [`open`]: opens a store by its address and starts the engine on it
//! - [`config`]: settings from `windlass.toml` and `WINDLASS_*`
//! - [`spans`]: durations that read aloud, `5.minutes()`
//! - [`prelude`]: what a program needs
//! - [`messages`]: commands, queries and events in process
//! - [`core`], [`dispatch`], [`engine`], [`http`], [`store`]: the crates underneath
//! - [`transfer`]: moves the jobs of one store into another; [`open_store`] opens them
//!
//! # Features
//!
//! `embedded` (the SQLite store), `http` (axum endpoints) and `memory` are on by default; `postgres`, `redis` and `sqlx`
//! (jobs in transactions of sqlx on PostgreSQL) are not.

pub mod config;
pub mod open;
pub mod spans;

pub use windlass_core as core;
pub use windlass_dispatch as dispatch;
pub use windlass_engine as engine;
#[cfg(feature = "http")]
pub use windlass_http as http;
pub use windlass_store as store;
pub use windlass_transfer as transfer;

pub use open::{OpenError, Windlass, WindlassBuilder, open_store};
pub use windlass_dispatch::{Error, Result};
pub use windlass_engine::Settings;
pub use windlass_macros::job;

/// What a program that defines and serves jobs needs.
pub mod prelude {
    pub use crate::open::Windlass;
    pub use crate::spans::Spans;
    pub use windlass_core::{
        Backlog, Gate, JobId, Key, Limits, Misfire, Overlap, Owner, Payload, Priority, QueueName, Rate, ScheduleName,
        Share, Unique,
    };
    pub use windlass_dispatch::{
        Attempt, Binary, Classify, Context, Error, Handler, HandlerOptions, Headers, Json, Query, Request, Result,
        Route, Snooze, State, Stop, Text,
    };
    pub use windlass_engine::{Breaker, Drained, Recur, Settings, Submit};
    #[cfg(feature = "http")]
    pub use windlass_http::{HttpExt, Rejection, delete, patch, post, put};
    pub use windlass_macros::job;
}

/// Commands, queries and events, and what dispatches them in process (docs/messages.md).
pub mod messages {
    pub use windlass_dispatch::envelope;
    pub use windlass_dispatch::message::{Answered, Command, Event, Message};
    pub use windlass_dispatch::{
        Application, Call, CallNow, Durable, Erased, Follow, HandledBy, Has, Hear, HeardBy, How, LaneError, Lanes,
        Layer, Local, LocalOptions, Logging, MessageContext, Next, Parallel, Policies, Policy, Recorder, Retrying,
        SpawnError, Spawned, Strategy, Subject, Then, Timing, Transaction, Transactional, Unheard, Validate,
        Validation,
    };
    pub use windlass_macros::{Command, Event, Query, dispatcher, handler};
}

/// What the macros write refers to; not for people.
#[doc(hidden)]
pub mod __job {
    pub use serde::{Deserialize, Serialize};
    pub use std::time::Duration;
    pub use windlass_core::{Priority, Status, Unique};
    pub use windlass_dispatch::message::{self, Answered, Event, Message};
    pub use windlass_dispatch::{
        Application, BoxFuture, Call, CallNow, Context, Durable, Entries, Error, Follow, FromContext, HandledBy,
        HandledNowBy, Handler, HandlerOptions, Has, Hear, HeardBy, How, IsReply, Json, Local, Mapped, MessageContext,
        MessageHandler, Needs, NoInput, Reply, Result, SpawnError, Submitter, Table, Then, Unheard,
    };
    pub use windlass_dispatch::{durable, layer, local, noted};
}

/// Compiles the README's program with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Compiles the manual on commands, queries and events.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/messages.md")]
struct Messages;

/// Compiles the manual on delays and schedules.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/scheduling.md")]
struct Scheduling;

/// Compiles the HTTP contract.
#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../../../docs/http.md")]
struct HttpContract;

/// Compiles the manual on unique jobs.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/unique.md")]
struct UniqueJobs;

/// Compiles and runs the manual on pauses and limits.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../../../docs/limits.md")]
struct PausesAndLimits;

/// Compiles and runs the manual on fairness.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../../../docs/fairness.md")]
struct Fairness;

/// Compiles and runs the manual on adaptive concurrency and breakers.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../../../docs/adaptive.md")]
struct AdaptiveConcurrency;

/// Compiles the snippet of the manual on moving to another store.
#[cfg(all(doctest, feature = "embedded"))]
#[doc = include_str!("../../../docs/transfer.md")]
struct Transferring;
