//! What a Windlass job *is* and how it may change: plain data and pure functions, no I/O and no async runtime.
//!
//! # Layout
//!
//! - [`id`]: [`JobId`] (UUID v7, derived and keyed forms) and [`Incarnation`], the random name of one process start
//! - [`name`]: [`JobName`], [`QueueName`], [`ScheduleName`] and [`Owner`], checked once and cheap to clone
//! - [`payload`]: [`Payload`], raw bytes and their content type
//! - [`context`]: [`RequestContext`], what is kept of the HTTP request behind a job
//! - [`job`]: [`NewJob`] (what a caller hands over), [`Job`] (what a store knows), [`Progress`]
//! - [`message`]: the ids of messages, and [`Cause`], what a message follows from
//! - [`unique`]: [`Unique`], jobs of which there must be one at a time
//! - [`key`]: [`Key`], whose work a job is
//! - [`gate`]: [`Gate`], [`Limits`], [`Share`] and [`Backlog`], what a job passes before it is accepted and before it starts
//! - [`attempt`]: [`Attempt`], how one execution ended
//! - [`state`]: the state table, one total function that decides every transition
//! - [`retry`]: [`RetryPolicy`] and the verdict on a failed attempt
//! - [`cadence`]: [`Cadence`], when a schedule ticks: cron in a time zone, or an interval
//! - [`schedule`]: [`Schedule`], what is submitted when, and what it does at a moment
//! - [`failure`]: [`JobError`] and its [`ErrorClass`]
//! - [`limits`]: every bound on input, in one place
//! - [`time`]: [`Timestamp`], [`Clock`], [`SystemClock`], [`ManualClock`]
//!
//! ```
//! use windlass_core::{NewJob, Payload, Status, Timestamp, state};
//!
//! let job = NewJob::build("ProcessData", Payload::json(&[1, 2, 3])?)
//!     .retries(5)
//!     .finish(Timestamp::UNIX_EPOCH)?;
//! assert_eq!(job.queue.as_str(), "default");
//! assert_eq!(
//!     state::next(Status::Queued, state::Event::Claim),
//!     Some(state::Step::To(Status::InProgress))
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod attempt;
pub mod cadence;
pub mod context;
pub mod failure;
pub mod gate;
pub mod id;
pub mod job;
pub mod key;
pub mod limits;
pub mod message;
pub mod name;
pub mod payload;
pub mod retry;
pub mod schedule;
pub mod state;
pub mod time;
pub mod unique;

pub use attempt::{Attempt, AttemptOutcome};
pub use cadence::Cadence;
pub use context::{ContextMap, RequestContext};
pub use failure::{ErrorClass, JobError};
pub use gate::{Backlog, Gate, Limits, Rate, Share};
pub use id::{Incarnation, JobId};
pub use job::{Conditions, Expiry, Job, JobBuilder, NewJob, Priority, Progress, Start};
pub use key::Key;
pub use limits::InvalidInput;
pub use message::{CausationId, Cause, CorrelationId, MessageId, StreamId};
pub use name::{JobName, Owner, QueueName, ScheduleName};
pub use payload::Payload;
pub use retry::RetryPolicy;
pub use schedule::{Misfire, Overlap, Schedule};
pub use state::Status;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use unique::{Unique, Uniqueness};
