//! Suite and model agree: the model behind the seam passes every scenario, and histories of it match itself.

use async_trait::async_trait;
use windlass_testkit::{Fixture, Harness, Reference};

struct InMind;

#[async_trait]
impl Harness for InMind {
    async fn start(&self) -> Fixture {
        Fixture::on(Reference::with_clock)
    }

    /// The model stands for a server here: whoever opens it again finds it as it was.
    async fn reopen(&self, fixture: Fixture) -> Option<Fixture> {
        Some(fixture)
    }
}

windlass_testkit::conformance!(InMind, histories = 256);
