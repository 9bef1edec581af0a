include!("../facade.rs");

use windlass_macros::job;

#[job(retires = 5, durable)]
async fn tick() {}

#[job(attempts = 5)]
async fn tock() {}

fn main() {}
