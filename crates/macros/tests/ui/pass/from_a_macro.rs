//! Types and literals that come out of a `macro_rules!` variable are read like any others.
#![deny(warnings)]

include!("../facade.rs");

use windlass_dispatch::{Context, Handler, Json, Result, Router};

macro_rules! echo {
    ($function:ident, $name:literal, $retries:expr, $input:ty) => {
        #[windlass_macros::job(name = $name, retries = $retries)]
        async fn $function(input: $input, _cx: Context) -> Result<$input> {
            Ok(input)
        }
    };
}

echo!(echo_number, "Echo", 7, Json<u64>);

fn main() {
    assert_eq!(echo_number.options().retries, Some(7));
    Router::new().handler(echo_number);
}
