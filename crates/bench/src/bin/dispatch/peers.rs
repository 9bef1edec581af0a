//! The same with other crates: the fastest that were found for each.

use std::hint::black_box;

use medi_rs::{MediCommand, medi_handler, medi_module, mediator};
use mod_events::{Event, EventDispatcher};

use crate::paths::now;

pub(crate) struct PeersShop(u64);

#[derive(MediCommand)]
#[medi_command(return_type = u64, error_type = windlass::Error)]
struct PeersOrder(u64);

#[medi_handler]
async fn create_peers_order(_: &PeersOrders, shop: &PeersShop, order: PeersOrder) -> Result<u64, windlass::Error> {
    Ok(order.0 ^ shop.0)
}

medi_module! {
    manifest peers_orders;
    resources { shop: PeersShop; }
    commands { PeersOrder => create_peers_order; }
}

mediator! {
    struct PeersOrders {
        event_queue_capacity: 1;
        event_workers: 1;
        modules: [peers_orders];
    }
}

/// A command with a static mediator.
pub(crate) fn send(calls: u64) {
    let mediator = black_box(PeersOrders::builder().shop(PeersShop(black_box(7))).build());
    for number in 0..calls {
        drop(black_box(now(mediator.send(PeersOrder(black_box(number))))));
    }
}

#[derive(Debug, Clone)]
struct PeersOrdered(u64);

impl Event for PeersOrdered {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// An event to eight listeners, with errors.
pub(crate) fn emit(calls: u64) {
    let dispatcher = EventDispatcher::new();
    for _ in 0..8 {
        dispatcher.subscribe(|event: &PeersOrdered| {
            black_box(event.0);
            Ok(())
        });
    }
    for number in 0..calls {
        drop(black_box(dispatcher.dispatch(PeersOrdered(black_box(number)))));
    }
}
