include!("../facade.rs");

use windlass_macros::job;

#[job(name = "Process Data", queue = "")]
async fn process_data() {}

#[job]
async fn größe() {}

fn main() {}
