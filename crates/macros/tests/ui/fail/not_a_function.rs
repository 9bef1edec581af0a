include!("../facade.rs");

use windlass_macros::job;

#[job]
struct SendMail;

fn main() {}
