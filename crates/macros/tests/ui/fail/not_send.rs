include!("../facade.rs");

use std::rc::Rc;

use windlass_dispatch::{Context, Result};
use windlass_macros::job;

#[job]
async fn count(ctx: Context) -> Result<()> {
    let words = Rc::new(7);
    ctx.progress(0.5).await;
    drop(words);
    Ok(())
}

fn main() {}
