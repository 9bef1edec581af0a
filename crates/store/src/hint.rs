//! The wake channel: hints that make a process look sooner than its poll would.

use tokio::sync::broadcast;
use windlass_core::JobId;

/// Something happened that a process may care about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Jobs may be claimable, or due earlier than was thought. Also sent in place of hints that were lost.
    Ready,
    /// A schedule may be due earlier than was thought.
    Schedules,
    /// The cancellation of this running job was requested.
    CancelRequested(JobId),
}

/// A subscription to a store's hints.
#[derive(Debug)]
pub struct Hints(broadcast::Receiver<Hint>);

impl Hints {
    /// Wraps the receiving end of a backend's channel.
    pub fn new(receiver: broadcast::Receiver<Hint>) -> Self {
        Self(receiver)
    }

    /// The next hint. Cancel-safe. When the store is gone there are none, and this never ends.
    pub async fn next(&mut self) -> Hint {
        match self.0.recv().await {
            Ok(hint) => hint,
            Err(broadcast::error::RecvError::Lagged(_)) => Hint::Ready,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
