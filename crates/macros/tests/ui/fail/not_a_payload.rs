include!("../facade.rs");

use windlass_dispatch::Result;
use windlass_macros::job;

struct Report;

#[job]
async fn plain() -> Report {
    Report
}

#[job]
async fn fallible() -> Result<Report> {
    Ok(Report)
}

fn main() {}
