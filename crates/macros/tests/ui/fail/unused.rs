// A handler that nobody passes on is reported once, by its name.
#![deny(dead_code)]

include!("../facade.rs");

use windlass_dispatch::{Context, Result};
use windlass_macros::job;

#[job(retries = 1)]
async fn forgotten(_cx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
