//! Turns on their way to the store and back, which two look after: the loop that sent them, and the heartbeat when
//! handlers block every thread that loop could run on. Jobs whose claim has been answered are held from then on, and
//! not only when somebody finds the time to read the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The turns of one engine that are under way.
pub(crate) struct Crossings<T> {
    all: Mutex<Vec<Arc<Crossing<T>>>>,
}

/// One turn, as its sender awaits it.
pub(crate) struct Passage<T> {
    crossing: Arc<Crossing<T>>,
    crossings: Arc<Crossings<T>>,
}

struct Crossing<T> {
    sent: Instant,
    state: Mutex<State<T>>,
}

struct State<T> {
    stage: Stage<T>,
    /// Who awaits the passage, from its first look on.
    sender: Option<Waker>,
}

enum Stage<T> {
    UnderWay(Pin<Box<dyn Future<Output = T> + Send>>),
    /// Back, and not yet read by the sender.
    Back(Box<T>),
    Read,
}

impl<T> Default for Crossings<T> {
    fn default() -> Self {
        Self { all: Mutex::default() }
    }
}

impl<T> Crossings<T> {
    /// Sends a turn at the passage's first poll.
    pub(crate) fn send(self: &Arc<Self>, turn: impl Future<Output = T> + Send + 'static) -> Passage<T> {
        let state = State { stage: Stage::UnderWay(Box::pin(turn)), sender: None };
        let crossing = Arc::new(Crossing { sent: Instant::now(), state: Mutex::new(state) });
        self.all().push(crossing.clone());
        Passage { crossing, crossings: self.clone() }
    }

    /// Moves turns on that were sent `age` ago or earlier, in their sender's place.
    pub(crate) fn look_after(&self, age: Duration) {
        let late: Vec<_> = self.all().iter().filter(|crossing| crossing.sent.elapsed() >= age).cloned().collect();
        late.iter().for_each(|crossing| crossing.look_after());
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Crossing<T>>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Crossing<T> {
    /// Polls with the sender's own waker: what the turn waits for wakes the sender, as if nobody else had looked.
    fn look_after(&self) {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // The sender is at it.
            Err(TryLockError::WouldBlock) => return,
        };
        let Some(sender) = state.sender.clone() else { return };
        if state.stage.advance(&mut Context::from_waker(&sender)) {
            sender.wake();
        }
    }
}

impl<T> Stage<T> {
    /// Whether the turn has come back just now.
    fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        let Self::UnderWay(turn) = self else { return false };
        let Poll::Ready(answered) = turn.as_mut().poll(cx) else { return false };
        *self = Self::Back(Box::new(answered));
        true
    }

    fn read(&mut self) -> Option<T> {
        match std::mem::replace(self, Self::Read) {
            Self::Back(answered) => Some(*answered),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl<T> Future for Passage<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.crossing.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stage.advance(cx);
        match state.stage.read() {
            Some(answered) => Poll::Ready(answered),
            None => {
                match &mut state.sender {
                    Some(sender) => sender.clone_from(cx.waker()),
                    None => state.sender = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Passage<T> {
    fn drop(&mut self) {
        self.crossings.all().retain(|crossing| !Arc::ptr_eq(crossing, &self.crossing));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    /// With every thread blocked, the answer to a claim lay unread until the leases it granted had run out.
    #[test]
    fn a_turn_that_its_sender_has_no_time_for_moves_on_when_looked_after() {
        let (crossings, heard) = (Arc::<Crossings<&str>>::default(), Arc::new(Mutex::new(false)));
        let (reply, answer) = oneshot::channel::<()>();
        let mut passage = crossings.send({
            let heard = heard.clone();
            async move {
                let _ = answer.await;
                *heard.lock().expect("whole") = true;
                "answered"
            }
        });
        assert!((&mut passage).now_or_never().is_none());
        crossings.look_after(Duration::ZERO);
        assert!(!*heard.lock().expect("whole"), "nobody has answered");
        reply.send(()).expect("awaited");
        crossings.look_after(Duration::from_secs(60));
        assert!(!*heard.lock().expect("whole"), "its sender still has time");
        crossings.look_after(Duration::ZERO);
        assert!(*heard.lock().expect("whole"));
        assert!((&mut passage).now_or_never().is_some(), "the sender reads it when it can");
    }

    #[test]
    fn looking_after_a_turn_leaves_its_sender_to_be_woken() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let crossings = Arc::<Crossings<&str>>::default();
            let (reply, answer) = oneshot::channel::<()>();
            let passage = tokio::spawn(crossings.send(async move {
                let _ = answer.await;
                "answered"
            }));
            tokio::task::yield_now().await;
            crossings.look_after(Duration::ZERO);
            reply.send(()).expect("awaited");
            assert!(passage.await.is_ok());
            assert!(crossings.all().is_empty());
        });
    }
}
