//! How the suite gets a store to test.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use windlass_core::{Clock, ManualClock};
use windlass_store::Store;
use windlass_store::store::SharedStore;

/// Makes fresh stores of one backend.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// An empty store that reads the time from the fixture's clock.
    async fn start(&self) -> Fixture;

    /// Closes the store and opens it again on the same data and clock. `None`, the default, when the backend
    /// keeps nothing: the scenarios about durability are then skipped visibly.
    async fn reopen(&self, fixture: Fixture) -> Option<Fixture> {
        drop(fixture);
        None
    }

    /// Scenarios, as `area::name`, whose promises these stores document not to make. They are skipped visibly.
    fn excused(&self) -> &'static [&'static str] {
        &[]
    }
}

/// One store under test.
pub struct Fixture {
    /// The store.
    pub store: SharedStore,
    /// The clock that it reads.
    pub clock: ManualClock,
    /// Whatever must live as long as the store: its directory, its server. Dropped after the store.
    pub guard: Box<dyn Any + Send>,
}

impl Fixture {
    /// A store that `open` makes on a fresh clock and that needs nothing else.
    pub fn on<S: Store>(open: impl FnOnce(Arc<dyn Clock>) -> S) -> Self {
        let clock = ManualClock::default();
        let store = Arc::new(open(Arc::new(clock.clone())));
        Self { store, clock, guard: Box::new(()) }
    }
}
