include!("../facade.rs");

use windlass_dispatch::Result;
use windlass_macros::{Command, handler};

struct OrderId(u64);

#[derive(Command)]
#[message(reply = OrderId)]
struct CreateOrder;

#[handler]
async fn create_order(_order: CreateOrder) -> Result<u64> {
    Ok(7)
}

fn main() {}
