//! Jobs that the store may have given and nobody here has heard of, since an answer to a claim got lost: when to ask for
//! them, and what becomes of them.

use std::time::Duration;

use tokio::time::Instant;
use windlass_store::{Lease, Outcome, Result, Settlement};

/// How long to wait before asking a store again that did not say.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether jobs may have been missed.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    /// From when on to ask.
    from: Option<Instant>,
    /// Whether that is under way.
    being_taken: bool,
}

impl Stock {
    /// Notes that an answer got lost, or that a part of the store gave none: then it is let come back first.
    pub(crate) fn missed(&mut self, at_once: bool) {
        let from = if at_once { Instant::now() } else { Instant::now() + AGAIN };
        self.from = Some(self.from.map_or(from, |earlier| earlier.min(from)));
    }

    /// Whether it is time to ask. What the store gave and the registry does not know has been missed where no claim is under
    /// way, nor before the answer.
    pub(crate) fn is_due(&self) -> bool {
        self.from.is_some_and(|from| from <= Instant::now())
    }

    pub(crate) fn is_being_taken(&self) -> bool {
        self.being_taken
    }

    pub(crate) fn begin(&mut self) {
        self.being_taken = true;
    }

    /// Gives back what was missed: nobody has begun it, so that nothing is spent.
    pub(crate) fn note(&mut self, unheard: Result<Vec<Lease>>) -> Vec<Settlement> {
        (self.being_taken, self.from) = (false, None);
        let unheard = unheard.unwrap_or_else(|error| {
            tracing::debug!(%error, "the store does not say which leases this process has; asking again");
            self.missed(false);
            Vec::new()
        });
        if !unheard.is_empty() {
            tracing::info!(jobs = unheard.len(), "giving back jobs whose claim was answered by silence");
        }
        let release = |lease| Settlement { lease, outcome: Outcome::Release, emitted: Vec::new() };
        unheard.into_iter().map(release).collect()
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::JobId;
    use windlass_store::{Error, ErrorKind, Token};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_say_is_asked_again_a_little_later() {
        let mut stock = Stock::default();
        assert!(!stock.is_due());
        stock.missed(true);
        assert!(stock.is_due() && !stock.is_being_taken());
        stock.begin();
        assert!(stock.note(Err(Error::new(ErrorKind::Unavailable, "away"))).is_empty());
        assert!(!stock.is_due() && !stock.is_being_taken());
        tokio::time::advance(AGAIN).await;
        assert!(stock.is_due());
        let missed = Lease { id: JobId::keyed(&[b"missed"]), token: Token(1) };
        let given_back = stock.note(Ok(vec![missed]));
        assert_eq!((given_back[0].lease, &given_back[0].outcome), (missed, &Outcome::Release));
        tokio::time::advance(AGAIN).await;
        assert!(!stock.is_due());
    }
}
