//! Handlers that are told to come back later hold the gates of their jobs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use windlass_core::gate::Edit;
use windlass_core::{Gate, NewJob};
use windlass_store::Gates;

/// How long a settlement waits for gates to be held.
const PATIENCE: Duration = Duration::from_secs(1);

/// Gates that this process has held, and until when: one call for each is enough, however many handlers are told to wait.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<HashMap<Gate, Instant>>);

impl Holds {
    /// Somebody behind a handler wants a pause: where a rate is set for the handler or a key of its job, nobody starts until
    /// it is over. When the store cannot be told, the job itself waits all the same.
    pub(crate) async fn slow_down(&self, gates: &dyn Gates, new: &NewJob, span: Duration) {
        let now = Instant::now();
        let its = [Gate::Handler(new.name.clone())].into_iter().chain(new.keys().iter().cloned().map(Gate::Key));
        let hold = async {
            for gate in its.filter(|gate| self.is_news(gate, span, now)) {
                if let Err(error) = gates.edit_gate(&gate, Edit::Hold(span)).await {
                    tracing::debug!(%gate, %error, "the gate could not be held");
                }
            }
        };
        // The settlement waits for it.
        if tokio::time::timeout(PATIENCE, hold).await.is_err() {
            tracing::debug!("the store takes too long to hold gates");
        }
    }

    /// Whether a gate is not held for so long already; it is from now on.
    fn is_news(&self, gate: &Gate, span: Duration, now: Instant) -> bool {
        let mut holds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        holds.retain(|_, until| *until > now);
        if holds.get(gate).is_some_and(|until| *until >= now + span) {
            return false;
        }
        // A little longer, so that those who are told the same a moment later say nothing.
        holds.insert(gate.clone(), now + span + span / 10);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_held_once_for_many_who_are_told_the_same() {
        let (holds, gate, now) = (Holds::default(), Gate::Everything, Instant::now());
        let second = Duration::from_secs(1);
        assert!(holds.is_news(&gate, second, now));
        assert!(!holds.is_news(&gate, second, now + second / 20), "a moment later");
        assert!(holds.is_news(&gate, second * 9, now), "for much longer");
        assert!(holds.is_news(&gate, second, now + second * 20), "when it is over");
    }
}
