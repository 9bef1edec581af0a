include!("../facade.rs");

use windlass_dispatch::Result;
use windlass_macros::job;

struct Mailer;

impl Mailer {
    #[job]
    async fn send_mail(&self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
