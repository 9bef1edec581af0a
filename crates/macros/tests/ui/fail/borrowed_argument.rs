include!("../facade.rs");

use std::borrow::Cow;

use windlass_dispatch::{Context, Json};
use windlass_macros::job;

#[job]
async fn text(_name: &str) {}

#[job]
async fn json(Json(_name): Json<Cow<'_, str>>, _ctx: &Context) {}

#[job]
async fn result(_ctx: Context) -> &str {
    "borrowed"
}

fn main() {}
