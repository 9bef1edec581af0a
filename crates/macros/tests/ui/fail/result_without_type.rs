include!("../facade.rs");

use std::fmt;

use windlass_macros::job;

#[job]
async fn print() -> fmt::Result {
    Ok(())
}

fn main() {}
