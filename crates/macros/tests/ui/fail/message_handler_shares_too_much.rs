include!("../facade.rs");

use windlass_macros::{Command, dispatcher, handler};

struct Shop;

#[derive(Command)]
struct CreateOrder;

#[handler]
async fn create_order(_order: CreateOrder, _shop: &Shop) {}

dispatcher! {
    struct Orders {}
    commands { CreateOrder => create_order }
}

fn main() {}
