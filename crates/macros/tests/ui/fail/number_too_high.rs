include!("../facade.rs");

use windlass_macros::job;

#[job(priority = 10, retries = 1001)]
async fn tick() {}

fn main() {}
