//! The shop: its messages, their handlers, and who handles what.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use windlass::messages::{Command, Durable, Event, Local, Logging, MessageContext, Query, Then, dispatcher, handler};
use windlass::{Error, Result};

/// What is there, and how many orders were placed.
pub(crate) struct Stock(Mutex<(HashMap<String, u32>, u64)>);

impl Stock {
    pub(crate) fn of(articles: &[(&str, u32)]) -> Self {
        let articles = articles.iter().map(|(article, quantity)| ((*article).to_owned(), *quantity)).collect();
        Self(Mutex::new((articles, 0)))
    }

    /// Takes so much of it, and gives the order's number.
    fn take(&self, article: &str, quantity: u32) -> Option<u64> {
        let (articles, orders) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = articles.get_mut(article).filter(|there| **there >= quantity)?;
        *there -= quantity;
        *orders += 1;
        Some(*orders)
    }

    fn orders(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// What was mailed to whom.
#[derive(Default)]
pub(crate) struct Mails(watch::Sender<Vec<String>>);

impl Mails {
    /// All mails, once so many have been sent.
    pub(crate) async fn sent(&self, at_least: usize) -> Result<Vec<String>> {
        Ok(self.0.subscribe().wait_for(|mails| mails.len() >= at_least).await?.clone())
    }
}

#[derive(Command, Serialize, Deserialize)]
#[message(reply = u64)]
pub(crate) struct PlaceOrder {
    pub(crate) article: String,
    pub(crate) quantity: u32,
}

#[derive(Query)]
#[message(reply = u64)]
pub(crate) struct OpenOrders;

#[derive(Event, Clone, Serialize, Deserialize)]
pub(crate) struct OrderPlaced {
    number: u64,
}

#[handler(retries = 5)]
pub(crate) async fn place_order(order: PlaceOrder, stock: &Stock) -> Result<Then<u64, OrderPlaced>> {
    let number = stock.take(&order.article, order.quantity);
    let number = number.ok_or_else(|| Error::permanent(format!("too little {}", order.article)).code("SOLD_OUT"))?;
    Ok(Then(number, OrderPlaced { number }))
}

#[handler]
pub(crate) fn open_orders(_: OpenOrders, stock: &Stock) -> u64 {
    stock.orders()
}

#[handler(retries = 20)]
pub(crate) async fn mail_buyer(order: &OrderPlaced, mails: &Mails, cx: &MessageContext) {
    let mail = format!("order {} of {}", order.number, cx.tenant().unwrap_or("nobody"));
    mails.0.send_modify(|mails| mails.push(mail));
}

#[handler]
pub(crate) fn count_order(order: &OrderPlaced) {
    tracing::info!(order.number, "counted in the background");
}

dispatcher! {
    pub(crate) struct Orders {
        pub(crate) logging: Logging,
        pub(crate) stock: Stock,
        pub(crate) mails: Mails,
        pub(crate) local: Local<Orders>,
        pub(crate) durable: Durable<Orders>,
    }
    commands [Logging] { PlaceOrder => place_order }
    queries { OpenOrders => open_orders }
    // A mail must not be lost: it is a job. A count may: it runs in the background of this process.
    events { OrderPlaced => [submit(mail_buyer), spawn(count_order)] }
}
