//! The conformance suite that every Windlass store must pass, and what helps to test against stores.
//!
//! # Layout
//!
//! - [`harness`]: [`Harness`], how the suite gets a store, and [`Fixture`], one store with its clock
//! - `scenarios`: the promises, one small function each, and `list`, the only list of them
//! - [`suite`]: [`conformance!`], which makes one test of each scenario, and [`Verdict`]
//! - [`probe`]: [`Probe`], the short verbs in which scenarios are written
//! - [`jobs`]: the jobs, results and errors that scenarios use
//! - [`model`]: [`Model`], the semantics in the plainest possible form
//! - [`rules`], [`turns`]: the rules at gates and whose turn it is, for the model
//! - [`reference`](mod@reference): [`Reference`], the model behind the seam, so that the suite itself is tested
//! - [`history`]: random histories played against the model and a store
//! - [`operation`]: the operations of a history and how they are drawn
//! - [`compare`]: what of two answers must be equal, and what the seam leaves open
//! - [`invariants`]: what holds whatever happened: single winner, rising tokens, right accounts
//! - [`faulty`]: [`Faulty`], a store that fails, loses replies or hangs on demand
//! - [`servers`]: real servers, private to a test
//!
//! A backend's `tests/conformance.rs` is a [`Harness`] and one line:
//!
//! ```
//! use windlass_testkit::{Fixture, Harness, Reference};
//!
//! struct InMind;
//!
//! #[async_trait::async_trait]
//! impl Harness for InMind {
//!     async fn start(&self) -> Fixture {
//!         Fixture::on(|clock| Reference::with_clock(clock))
//!     }
//! }
//!
//! windlass_testkit::conformance!(InMind, histories = 64);
//! # fn main() {}
//! ```

pub mod compare;
pub mod faulty;
pub mod harness;
pub mod history;
pub mod invariants;
pub mod jobs;
mod list;
pub mod model;
pub mod operation;
pub mod probe;
pub mod reference;
pub mod rules;
pub mod servers;
pub mod suite;
pub mod turns;

// Public for the tests that `conformance!` makes; each scenario is documented by its name.
#[doc(hidden)]
pub mod scenarios;

pub use faulty::Faulty;
pub use harness::{Fixture, Harness};
pub use history::random_histories;
pub use model::Model;
pub use probe::Probe;
pub use reference::Reference;
pub use suite::Verdict;
