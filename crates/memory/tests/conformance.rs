//! The memory store keeps every promise of the seam. What is about durability is skipped, visibly.

use async_trait::async_trait;
use windlass_memory::Memory;
use windlass_testkit::{Fixture, Harness};

struct InMemory;

#[async_trait]
impl Harness for InMemory {
    async fn start(&self) -> Fixture {
        Fixture::on(Memory::with_clock)
    }
}

windlass_testkit::conformance!(InMemory, histories = 2_048);
