//! The keeping seam: what the engine asks of a store, and what every store promises.
//!
//! # Layout
//!
//! - [`store`]: the [`Store`] trait: `exchange`, `get`, `cancel`, `sweep`, hints
//! - [`exchange`]: [`Exchange`] and [`Exchanged`], the one round trip of the hot path, and its parts
//! - [`verbs`]: [`Verbs`], the single verbs `submit`, `claim`, `settle`, `extend` as thin helpers over `exchange`
//! - [`capability`]: what only some stores offer, as `Option<&dyn …>`: [`Query`], [`Admin`]
//! - [`import`]: [`Import`], the capability of taking in what another store kept
//! - [`schedules`]: [`Schedules`], the capability of keeping schedules whose ticks happen once
//! - [`gates`]: [`Gates`], the capability of keeping rules about which jobs may start
//! - [`gatekeeper`]: [`Gatekeeper`](gatekeeper::Gatekeeper), those rules at work in a store that one process has to itself
//! - [`turns`]: [`Turns`](turns::Turns), whose turn it is in the shared queues of such a store
//! - [`aging`]: [`by_age`](aging::by_age), who goes next in such a store where jobs rise in priority while they wait
//! - [`codec`]: the bytes that backends keep where they have no column
//! - [`expiry`]: what becomes of jobs that wait until they are not worth running
//! - [`retention`]: [`Retention`], how long finished jobs stay
//! - [`scope`]: [`Scope`], whose jobs a question is about
//! - [`hint`]: [`Hint`], the wake channel
//! - [`error`]: [`Error`] and its [`ErrorKind`]
//!
//! ```
//! use windlass_core::{NewJob, Payload, Timestamp};
//! use windlass_store::Exchange;
//!
//! let job = NewJob::build("Greet", Payload::json("world")?).finish(Timestamp::UNIX_EPOCH)?;
//! let turn = Exchange { submit: vec![job.into()], ..Exchange::default() };
//! assert!(!turn.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod aging;
pub mod capability;
pub mod codec;
pub mod error;
pub mod exchange;
pub mod expiry;
pub mod gatekeeper;
pub mod gates;
pub mod hint;
pub mod import;
pub mod retention;
pub mod schedules;
pub mod scope;
pub mod store;
pub mod turns;
pub mod verbs;

pub use capability::{Admin, Counts, Filter, Page, Query, Replayed};
pub use error::{Error, ErrorKind, Result};
pub use exchange::{
    Claim, Claimed, ClaimedJob, Exchange, Exchanged, Extend, Extension, Fate, Lease, Outcome, Settlement,
    SubmitOutcome, Submitted, Token,
};
pub use gates::{Gates, Ruled};
pub use hint::{Hint, Hints};
pub use import::{Import, Imported, is_importable};
pub use retention::Retention;
pub use schedules::Schedules;
pub use scope::Scope;
pub use store::{Canceled, SharedStore, Store, Swept};
pub use verbs::Verbs;
