//! Gates: the rules that decide which ready jobs may start. A claim passes over jobs at whose gates there is no room; they
//! wait, spend nothing, and come back when there is.
//!
//! A job may start when at each of its gates nothing is paused, fewer run than may, and the bucket has something left; then
//! it takes a slot where a number is set, and a token where a rate is. The slot is free again when the attempt ends, however
//! it ends, or, at a gate that is *in order*, when the job has finished. Jobs are asked in the order in which they are claimed.
//!
//! Setting a number counts the jobs that run already.
//!
//! In a queue that is *shared* by a kind of key, jobs that are submitted or become due wait in the line of their key of that
//! kind, by priority and order of submission, and claims take from the lines in turn, by their weights. All others of the queue
//! (those that have no such key, that were there before, or that came back from a worker or a gate) are one more line, of weight 1.

use async_trait::async_trait;
use windlass_core::Gate;
use windlass_core::gate::{Edit, Rule};

use crate::error::Result;

/// Keeps rules, where the backend can.
#[async_trait]
pub trait Gates: Send + Sync {
    /// Changes the rule at a gate, for all processes and from the next claim on. A rule that says nothing any more is
    /// forgotten.
    async fn edit_gate(&self, gate: &Gate, edit: Edit) -> Result<()>;

    /// The gates that have rules, by their text, at most so many (and no more than
    /// [`PAGE_MAX`](windlass_core::limits::PAGE_MAX)), those behind `after`.
    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> Result<Vec<Ruled>>;
}

/// A gate, the rule there, and who has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// Where.
    pub gate: Gate,
    /// What holds.
    pub rule: Rule,
    /// How many slots are taken, where a number is set. Of a kind of keys: by all of them together.
    pub taken: u64,
}
