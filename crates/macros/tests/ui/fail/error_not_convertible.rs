include!("../facade.rs");

use windlass_dispatch::{Json, Snooze};
use windlass_macros::job;

struct Refused;

#[job]
async fn of_ours() -> Result<Json<u8>, Refused> {
    Err(Refused)
}

#[job]
async fn text() -> Result<Json<u8>, String> {
    Err("no such address".to_owned())
}

#[job]
async fn boxed() -> Result<Json<u8>, Box<dyn std::error::Error + Send + Sync>> {
    Err("no such address".into())
}

#[job]
async fn snooze() -> Result<Json<u8>, Snooze> {
    Err(Snooze(std::time::Duration::from_secs(1)))
}

fn main() {}
