//! The embedded store keeps every promise of the seam, over the end of its process too.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use windlass_core::ManualClock;
use windlass_embedded::Embedded;
use windlass_testkit::{Fixture, Harness};

struct OnDisk;

fn open(directory: &Path, clock: &ManualClock) -> Arc<Embedded> {
    let options = Embedded::options().clock(Arc::new(clock.clone()));
    Arc::new(options.open(directory).expect("the store opens"))
}

#[async_trait]
impl Harness for OnDisk {
    async fn start(&self) -> Fixture {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = ManualClock::default();
        Fixture { store: open(directory.path(), &clock), clock, guard: Box::new(directory) }
    }

    async fn reopen(&self, Fixture { store, clock, guard }: Fixture) -> Option<Fixture> {
        drop(store);
        let directory = guard.downcast::<TempDir>().expect("the guard of start");
        Some(Fixture { store: open(directory.path(), &clock), clock, guard: directory })
    }
}

windlass_testkit::conformance!(OnDisk, histories = 192);
