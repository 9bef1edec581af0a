include!("../facade.rs");

use windlass_dispatch::{Json, Result};
use windlass_macros::job;

#[job]
async fn store<T: Send>(Json(_value): Json<T>) -> Result<()> {
    Ok(())
}

#[job]
async fn load()
where
    String: Clone,
{
}

fn main() {}
