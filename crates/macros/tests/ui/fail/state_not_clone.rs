include!("../facade.rs");

use windlass_dispatch::State;
use windlass_macros::job;

struct Database;

#[job]
async fn save(State(_database): State<Database>) {}

fn main() {}
