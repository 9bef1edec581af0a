include!("../facade.rs");

use std::rc::Rc;

use windlass_macros::{Command, handler};

#[derive(Command)]
struct CreateOrder;

#[handler]
async fn create_order(_order: CreateOrder) {
    let words = Rc::new(7);
    std::future::ready(()).await;
    drop(words);
}

fn main() {}
