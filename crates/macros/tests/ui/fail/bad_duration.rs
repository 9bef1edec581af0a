include!("../facade.rs");

use windlass_macros::job;

#[job(timeout = "2 parsecs", retry_delay_base = "2", retry_delay_cap = "11y")]
async fn tick() {}

#[job(timeout = "0s")]
async fn never() {}

#[job(timeout = "P1M")]
async fn monthly() {}

fn main() {}
