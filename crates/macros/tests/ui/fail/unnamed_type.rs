include!("../facade.rs");

use windlass_dispatch::{IntoPayload, Json, Result};
use windlass_macros::job;

#[job]
async fn argument(Json(_value): Json<impl Send>) {}

#[job]
async fn result() -> Result<impl IntoPayload> {
    Ok(())
}

fn main() {}
