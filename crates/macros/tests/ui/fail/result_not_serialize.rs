include!("../facade.rs");

use windlass_dispatch::{Json, Result};
use windlass_macros::job;

struct Report;

#[job]
async fn write_report() -> Result<Json<Report>> {
    Ok(Json(Report))
}

fn main() {}
