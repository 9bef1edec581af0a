include!("../facade.rs");

use windlass_macros::job;

#[job("ProcessData")]
async fn bare_value() {}

#[job(retries)]
async fn no_value() {}

#[job(retries(5))]
async fn parentheses() {}

#[job(retries = 5, retries = 6)]
async fn twice() {}

fn main() {}
