//! The HTTP contract, in process and over sockets. Test numbers (T38, …) are those of the reliability plan.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod bodies;
mod client;
mod documents;
mod factories;
mod handlers;
mod hostile;
mod identities;
mod jobs;
mod leaks;
mod owners;
mod readme;
mod refusals;
mod sockets;
mod unique;
mod waiting;
