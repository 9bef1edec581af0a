include!("../facade.rs");

use windlass_dispatch::{Json, Result, Router};

async fn process_data(Json(request): Json<String>) -> Result<Json<usize>> {
    Ok(Json(request.len()))
}

fn main() {
    Router::new().handler(process_data);
}
