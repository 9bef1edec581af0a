include!("../facade.rs");

use windlass_dispatch::{Context, Json, Text};
use windlass_macros::job;

#[job]
async fn context_first(_ctx: Context, Json(_request): Json<Vec<String>>) {}

#[job]
async fn two_inputs(_name: Text, Json(_request): Json<Vec<String>>) {}

fn main() {}
