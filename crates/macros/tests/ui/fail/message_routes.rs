include!("../facade.rs");

use windlass_dispatch::{Durable, Result, Then};
use windlass_macros::{Command, Event, Query, dispatcher, handler};

#[derive(Command)]
struct Pack;

#[derive(Query)]
#[message(reply = u8)]
struct Count;

#[derive(Event)]
struct Packed;

struct Parcel;

/// What it returns is no message of the application.
#[handler]
async fn pack(_: Pack) -> Result<Then<(), Parcel>> {
    Ok(Then((), Parcel))
}

#[handler]
async fn tell(_: &Packed) {}

#[handler]
async fn mail(_: &Packed) {}

#[handler]
fn count(_: Count) -> u8 {
    1
}

// There is no local queue, and an event that is submitted has to be data.
dispatcher! {
    struct Shop { durable: Durable<Shop> }
    commands { Pack => pack }
    events { Packed => [spawn(tell), submit(mail)] }
}

fn main() {}
