//! What a store promises, one small function each; a file for every part of the seam. Assertions go through the
//! seam only. The list of all of them is `suite::for_each_scenario!`.

pub mod admin;
pub mod affinity;
pub mod aging;
pub mod cancel;
pub mod claim;
pub mod concurrent;
pub mod durable;
pub mod emit;
pub mod expiry;
pub mod fencing;
pub mod gates;
pub mod hints;
pub mod import;
pub mod in_order;
pub mod intake;
pub mod lease;
pub mod limits;
pub mod order;
pub mod owner_backlogs;
pub mod poison;
pub mod query;
pub mod retention;
pub mod retry;
pub mod schedule;
pub mod schedules;
pub mod scope;
pub mod settle;
pub mod shares;
pub mod submit;
pub mod sweep;
pub mod turn;
pub mod unique;
