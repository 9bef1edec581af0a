include!("../facade.rs");

use windlass_macros::job;

const QUEUE: &str = "reports";

#[job(name = 5, retries = "5", timeout = 120, priority = 1.5, queue = QUEUE)]
async fn tick() {}

fn main() {}
