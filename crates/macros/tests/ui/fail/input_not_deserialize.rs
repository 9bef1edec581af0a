include!("../facade.rs");

use windlass_dispatch::{Json, Result};
use windlass_macros::job;

struct Request;

#[job]
async fn process_data(Json(_request): Json<Request>) -> Result<()> {
    Ok(())
}

fn main() {}
