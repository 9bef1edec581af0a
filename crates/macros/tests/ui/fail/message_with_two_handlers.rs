include!("../facade.rs");

use windlass_macros::{Command, dispatcher, handler};

#[derive(Command)]
struct CreateOrder;

#[handler]
async fn create_order(_order: CreateOrder) {}

#[handler]
async fn create_order_again(_order: CreateOrder) {}

dispatcher! {
    struct Orders {}
    commands {
        CreateOrder => create_order,
        CreateOrder => create_order_again,
    }
}

fn main() {}
