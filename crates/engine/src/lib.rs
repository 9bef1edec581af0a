//! The engine: the one room that sees both how work is kept (a store) and how it is done (handlers).
//!
//! # Layout
//!
//! - [`engine`]: [`Engine`], the handle: submit, get, wait, cancel, shut down
//! - `builder`: how it is built, [`EngineBuilder`]
//! - [`settings`]: [`Settings`], plain data with defaults and checks
//! - [`submit`]: [`Submit`] and [`Submission`], typed submission of a handler's jobs
//! - `durable`: the jobs that an application's messages become
//! - `exchanger`: the loop that talks to the store: one round trip carries settlements, submissions and a claim
//! - `outage`: what happens while the store fails
//! - `stock`: what the store gave and nobody has heard of
//! - `crossing`: the turns under way, which move on even when handlers block every thread
//! - `linger`: whether to stay awake for an answer that is about to come
//! - `turn`: composes one exchange and takes its answer apart
//! - `slots`: how many attempts may run at the same time, as it was set or as `adaptive` finds out
//! - `adaptive`: finds out how many that is from how they fare
//! - [`breaker`]: [`Breaker`], when the jobs of a handler are left alone for a while; `breakers` are those of a process and
//!   what they tell others through the store, `fuse` is one of them, `lookout` asks what others have told
//! - `evidence`: how a handler's attempts fared, against how they fare with little else running
//! - `order`: in which order claims name the queues, as they were set or by weights
//! - `pace`: how much to claim ahead of free slots
//! - `worker`: one attempt: route, run under its time limit, normalise, settle
//! - `overtime`: an attempt's time limit and what becomes of it then
//! - `registry`: the attempts that this process holds leases for
//! - `heartbeat`: keeps those leases alive, on a thread of its own
//! - `sweeper`: takes back what dead processes held, promotes, prunes
//! - [`recurring`]: [`Recur`] and [`Recurring`], typed schedules of a handler's jobs
//! - [`schedules`]: [`Schedules`], what operators and programs do with schedules
//! - `scheduler`: deals with the ticks of schedules
//! - [`gates`]: [`Gates`], what operators and programs do with rules: pause, resume, limit; `holds`: what handlers do
//! - [`drain`]: pausing a gate and waiting until nothing runs there, which ends as [`Drained`] says
//! - `duration`, `weights`: how durations and the weights of queues are written
//! - `waiters`: who waits for which job to finish
//! - [`signals`]: what an autoscaler wants to know of each queue
//! - `traffic`: how many attempts ended here, and how long they took
//! - [`health`]: liveness and readiness from the age of each loop's last good pass
//! - [`metrics`]: every metric by name, unit and labels
//! - `trace`: the trace id that submission and runs share
//! - `phase`: running, draining, stopping
//! - [`error`]: [`Error`] and [`StartError`]
//!
//! ```
//! use std::sync::Arc;
//! use windlass_dispatch::{Context, Handler, Json, Result};
//! use windlass_engine::{Engine, Submit};
//! use windlass_memory::Memory;
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
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let engine = Engine::builder(Arc::new(Memory::new())).handler(Double).start().await?;
//! let submitted = Double.submit(&engine, 21).await?;
//! let job = engine.wait(submitted.id, &Default::default(), std::time::Duration::from_secs(5)).await?;
//! assert_eq!(job.expect("stored").result.expect("completed").parse_json::<u64>()?, 42);
//! engine.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod adaptive;
#[cfg(test)]
mod adaptive_tests;
pub mod breaker;
mod breakers;
mod builder;
mod crossing;
pub mod drain;
mod durable;
mod duration;
pub mod engine;
pub mod error;
mod evidence;
mod exchanger;
mod fuse;
pub mod gates;
pub mod health;
mod heartbeat;
mod holds;
mod linger;
mod lookout;
pub mod metrics;
mod order;
mod outage;
mod overtime;
mod pace;
mod patience;
mod phase;
pub mod recurring;
mod registry;
mod scheduler;
#[cfg(test)]
mod scheduler_tests;
pub mod schedules;
pub mod settings;
mod shared;
pub mod signals;
mod slots;
mod stock;
pub mod submit;
mod sweeper;
mod trace;
mod traffic;
mod turn;
mod waiters;
mod weights;
mod worker;

pub use breaker::Breaker;
pub use builder::EngineBuilder;
pub use drain::Drained;
pub use engine::Engine;
pub use error::{Error, StartError};
pub use gates::Gates;
pub use health::{Health, LoopHealth, OpenBreaker};
pub use recurring::{Recur, Recurring};
pub use schedules::{Scheduled, Schedules};
pub use settings::Settings;
pub use signals::QueueSignals;
pub use submit::{Submission, Submit};
