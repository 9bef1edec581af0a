//! Where the process is in its life. Phases only ever go forward.

use tokio::sync::watch;

/// The engine's phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Takes and runs work.
    Running,
    /// Takes no more work; what runs may finish.
    Draining,
    /// Handlers are asked to stop; what still runs is given back.
    Stopping,
    /// Everything is settled.
    Stopped,
}

/// Moves the phase forward and tells everybody.
#[derive(Debug)]
pub(crate) struct Phases(watch::Sender<Phase>);

impl Phases {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Running))
    }

    /// Goes on to `phase`; does nothing when it is behind already.
    pub(crate) fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let forward = phase > *current;
            *current = phase.max(*current);
            forward
        });
    }

    pub(crate) fn now(&self) -> Phase {
        *self.0.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Phase> {
        self.0.subscribe()
    }

    /// Ends when `phase` is reached.
    pub(crate) async fn reached(&self, phase: Phase) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.watch().wait_for(|current| *current >= phase).await;
    }
}
