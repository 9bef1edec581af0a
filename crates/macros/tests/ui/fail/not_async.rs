include!("../facade.rs");

use windlass_dispatch::{Json, Router};
use windlass_macros::job;

#[job]
fn process_data(Json(request): Json<String>) -> Json<usize> {
    Json(request.len())
}

// The mistake above is reported once, not at every use.
fn main() {
    Router::new().handler(process_data);
}
