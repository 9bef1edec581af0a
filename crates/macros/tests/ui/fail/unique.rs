include!("../facade.rs");

use windlass_dispatch::{Json, Text};
use windlass_macros::job;

#[job(unique)]
async fn bare() {}

#[job(unique = "userId")]
async fn no_parentheses() {}

#[job(unique(within = "10m"))]
async fn by_nothing() {}

#[job(unique(input, key = "nightly"))]
async fn by_two() {}

#[job(unique(key = ""))]
async fn empty_key() {}

#[job(unique(key = KEY, fields = "userId"))]
async fn no_literals() {}

#[job(unique(fields = []))]
async fn no_fields() {}

#[job(unique(fields = ["userId", 7]))]
async fn no_text(_input: Json<u64>) {}

#[job(unique(fields = ["userId"]))]
async fn no_json(_input: Text) {}

#[job(unique(input, states = [Queued, Running], within = "0s", replace = true))]
async fn four_mistakes() {}

#[job(unique(input, states = []))]
async fn no_states() {}

#[job(unique(input, extend))]
async fn extends_nothing() {}

#[job(unique(input, in_queue, in_queue))]
async fn twice() {}

#[job(unique(input), unique(input))]
async fn all_twice() {}

#[job(unique(input, ttl = "10m"))]
async fn unknown_part() {}

fn main() {}
