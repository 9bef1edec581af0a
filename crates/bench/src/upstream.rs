//! Something that handlers call and that bears only so much: it works on a number of requests at a time, in order of
//! arrival. Whoever asks gives up after a while; it does not hear of that and does the work all the same. So with far too
//! many at the same time it is busy with what nobody waits for any more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// What a request takes by itself, on average; half more or less.
const LATENCY: Duration = Duration::from_millis(20);
/// When whoever asked gives up.
const PATIENCE: Duration = Duration::from_millis(100);
/// Requests that may wait, for each that is worked on.
const WAITING: usize = 16;

/// Requests at a time in each phase: it halves, and recovers.
pub(crate) const HALVES: &[usize] = &[32, 16, 32];
/// It goes away for two phases, and recovers.
pub(crate) const GOES_AWAY: &[usize] = &[32, 0, 0, 32, 32, 32];
/// The length of one phase.
pub(crate) const PHASE: Duration = Duration::from_secs(6);

/// The upstream.
pub(crate) struct Upstream {
    pub(crate) capacity: &'static [usize],
    rooms: Mutex<Rooms>,
}

struct Rooms {
    capacity: usize,
    busy: usize,
    waiting: VecDeque<oneshot::Sender<()>>,
    latency: Duration,
    /// When each request was answered in time.
    good: Vec<Instant>,
    in_vain: u64,
}

impl Upstream {
    pub(crate) fn new(capacity: &'static [usize]) -> Arc<Self> {
        let (waiting, good) = (VecDeque::new(), Vec::new());
        let rooms = Rooms { capacity: capacity[0], busy: 0, waiting, latency: LATENCY, good, in_vain: 0 };
        Arc::new(Self { capacity, rooms: Mutex::new(rooms) })
    }

    /// How long all phases take.
    pub(crate) fn span(&self) -> Duration {
        PHASE * self.capacity.len() as u32
    }

    /// How many requests were not answered in time.
    pub(crate) fn in_vain(&self) -> u64 {
        self.rooms().in_vain
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for one piece of work; `false` when it was refused or nobody waits for it any more.
    pub(crate) async fn ask(self: &Arc<Self>) -> bool {
        let work = tokio::spawn(self.clone().work());
        let good = matches!(tokio::time::timeout(PATIENCE, work).await, Ok(Ok(true)));
        match good {
            true => self.rooms().good.push(Instant::now()),
            false => self.rooms().in_vain += 1,
        }
        good
    }

    async fn work(self: Arc<Self>) -> bool {
        let turn = self.rooms().enter();
        let Some(turn) = turn else { return false };
        // Its sender stands in line until it is used.
        let _ = turn.await;
        let latency = self.rooms().latency;
        tokio::time::sleep(latency.mul_f64(0.5 + fastrand::f64())).await;
        self.rooms().leave();
        true
    }

    /// Goes through the phases, and lets everything through after them.
    pub(crate) async fn live(&self) {
        for capacity in self.capacity {
            self.rooms().resize(*capacity);
            tokio::time::sleep(PHASE).await;
        }
        let mut rooms = self.rooms();
        rooms.latency = Duration::ZERO;
        rooms.resize(usize::MAX);
    }

    /// How many requests a second were answered in time, in each of `parts` of the time since `began`.
    pub(crate) fn goodput(&self, began: Instant, part: Duration, parts: usize) -> Vec<f64> {
        let mut counts = vec![0_u32; parts];
        for at in &self.rooms().good {
            let place = at.saturating_duration_since(began).as_nanos() / part.as_nanos();
            if let Some(count) = usize::try_from(place).ok().and_then(|place| counts.get_mut(place)) {
                *count += 1;
            }
        }
        counts.into_iter().map(|count| f64::from(count) / part.as_secs_f64()).collect()
    }
}

impl Rooms {
    /// Begins, or waits, or is refused.
    fn enter(&mut self) -> Option<oneshot::Receiver<()>> {
        if self.waiting.len() / WAITING >= self.capacity {
            return None;
        }
        let (turn, begun) = oneshot::channel();
        self.waiting.push_back(turn);
        self.admit();
        Some(begun)
    }

    fn leave(&mut self) {
        self.busy -= 1;
        self.admit();
    }

    fn resize(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.admit();
    }

    /// Whoever has given up is worked for too.
    fn admit(&mut self) {
        while self.busy < self.capacity
            && let Some(turn) = self.waiting.pop_front()
        {
            self.busy += 1;
            let _ = turn.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_works_on_so_many_at_a_time_whether_anybody_waits_or_not() {
        let upstream = Upstream::new(HALVES);
        let all = futures_util::future::join_all((0..10 * HALVES[0]).map(|_| upstream.ask())).await;
        let good = all.into_iter().filter(|good| *good).count();
        assert!((3 * HALVES[0]..8 * HALVES[0]).contains(&good), "{good}");
        assert_eq!(upstream.rooms().busy, HALVES[0], "for those who gave up");
    }

    #[tokio::test(start_paused = true)]
    async fn when_too_many_wait_it_refuses() {
        let upstream = Upstream::new(HALVES);
        let all = futures_util::future::join_all((0..HALVES[0] * (WAITING + 2)).map(|_| upstream.clone().work()));
        assert_eq!(all.await.into_iter().filter(|worked| !worked).count(), HALVES[0]);
    }
}
