//! One after the other by key, whatever the number of keys.

use std::future::Future;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

/// How much a lane takes in one turn.
const TURN: usize = 256;

/// A fixed number of lanes, each a task. Items of one key go into one lane, and a lane handles one after the other in the
/// order in which they came: what belongs to one key keeps its order, and keys need not be known or forgotten. Keys that
/// share a lane wait for each other.
#[derive(Debug)]
pub struct Lanes<T> {
    entries: Box<[mpsc::Sender<T>]>,
    hasher: RandomState,
    draining: watch::Sender<bool>,
    running: Mutex<Vec<JoinHandle<()>>>,
}

/// An item that did not get into its lane, to try again or to give up.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneError<T> {
    /// Its lane has no room.
    #[error("the lane is full")]
    Full(T),
    /// The lanes are drained, or have been.
    #[error("the lanes are drained")]
    Drained(T),
}

impl<T: Send + 'static> Lanes<T> {
    /// Starts `lanes` tasks, each with room for `room` items that wait, and hands each item to `work`. An item whose work
    /// panics is given up, and the lane goes on. Panics outside of a Tokio runtime.
    pub fn new<F>(lanes: NonZeroUsize, room: NonZeroUsize, work: impl Fn(T) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work = Arc::new(work);
        let (draining, told) = watch::channel(false);
        let (mut entries, mut running) = (Vec::new(), Vec::new());
        for _ in 0..lanes.get() {
            let (entry, items) = mpsc::channel(room.get().min(Semaphore::MAX_PERMITS));
            entries.push(entry);
            running.push(tokio::spawn(serve(items, told.clone(), work.clone())));
        }
        Self { entries: entries.into(), hasher: RandomState::new(), draining, running: Mutex::new(running) }
    }

    fn place(&self, key: &(impl Hash + ?Sized)) -> usize {
        (self.hasher.hash_one(key) % self.entries.len() as u64) as usize
    }

    /// Puts an item behind those of its key; waits while its lane is full.
    pub async fn push(&self, key: &(impl Hash + ?Sized), item: T) -> Result<(), LaneError<T>> {
        let sent = self.entries[self.place(key)].send(item).await;
        sent.map_err(|error| LaneError::Drained(error.0))
    }

    /// The same without waiting.
    pub fn try_push(&self, key: &(impl Hash + ?Sized), item: T) -> Result<(), LaneError<T>> {
        self.entries[self.place(key)].try_send(item).map_err(|error| match error {
            TrySendError::Full(item) => LaneError::Full(item),
            TrySendError::Closed(item) => LaneError::Drained(item),
        })
    }

    /// [`push`](Self::push) for many: each lane makes room for its share at once, as far as it can. Gives back what came too
    /// late, in its order.
    pub async fn push_all<K: Hash>(&self, batch: impl IntoIterator<Item = (K, T)>) -> Result<(), Vec<T>> {
        let mut shares: Vec<Vec<T>> = self.entries.iter().map(|_| Vec::new()).collect();
        for (key, item) in batch {
            shares[self.place(&key)].push(item);
        }
        let pushed = self.entries.iter().zip(shares).map(|(entry, share)| push_share(entry, share));
        let late = join_all(pushed).await.into_iter().flatten().collect::<Vec<_>>();
        if late.is_empty() { Ok(()) } else { Err(late) }
    }

    /// Takes nothing more, and ends when all that is there has been handled.
    pub async fn drain(&self) {
        self.draining.send_replace(true);
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(running).await;
    }
}

/// Gives back what came too late.
async fn push_share<T>(entry: &mpsc::Sender<T>, share: Vec<T>) -> Vec<T> {
    let mut share = share.into_iter();
    while share.len() > 0 {
        let fits = share.len().min(entry.max_capacity());
        let Ok(room) = entry.reserve_many(fits).await else { break };
        room.zip(share.by_ref()).for_each(|(place, item)| place.send(item));
    }
    share.collect()
}

/// One lane.
async fn serve<T, F: Future<Output = ()>>(
    mut items: mpsc::Receiver<T>,
    mut draining: watch::Receiver<bool>,
    work: Arc<impl Fn(T) -> F>,
) {
    let mut turn = Vec::with_capacity(TURN);
    loop {
        let taken = tokio::select! {
            taken = items.recv_many(&mut turn, TURN) => taken,
            true = is_told(&mut draining), if !items.is_closed() => {
                items.close();
                continue;
            }
        };
        if taken == 0 {
            return;
        }
        for item in turn.drain(..) {
            // A panic has been printed, and belongs to this item only.
            drop(AssertUnwindSafe(async { work(item).await }).catch_unwind().await);
        }
    }
}

async fn is_told(draining: &mut watch::Receiver<bool>) -> bool {
    draining.wait_for(|draining| *draining).await.is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::HashMap;

    use super::*;

    fn some(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).expect("more than none")
    }

    type Seen = Arc<Mutex<HashMap<u8, Vec<u32>>>>;

    /// Notes each item below its key; some items take longer than others.
    fn noting(lanes: usize, room: usize) -> (Lanes<(u8, u32)>, Seen) {
        let seen = Seen::default();
        let noted = seen.clone();
        let work = move |(key, item): (u8, u32)| {
            let noted = noted.clone();
            async move {
                for _ in 0..item % 4 {
                    tokio::task::yield_now().await;
                }
                noted.lock().expect("no panic").entry(key).or_default().push(item);
            }
        };
        (Lanes::new(some(lanes), some(room), work), seen)
    }

    fn expected(items: &[(u8, u32)]) -> HashMap<u8, Vec<u32>> {
        let mut expected = HashMap::<u8, Vec<u32>>::new();
        items.iter().for_each(|(key, item)| expected.entry(*key).or_default().push(*item));
        expected
    }

    async fn push(lanes: &Lanes<(u8, u32)>, items: &[(u8, u32)], together: usize) {
        for batch in items.chunks(together) {
            match batch {
                [item] => lanes.push(&item.0, *item).await.expect("open"),
                batch => lanes.push_all(batch.iter().map(|item| (item.0, *item))).await.expect("open"),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever the lanes, their room and how the items come: each key sees its own in their order, each once, although
        /// others take longer.
        #[test]
        fn each_key_keeps_its_order(
            items in prop::collection::vec((0..20_u8, any::<u32>()), 0..400),
            lanes in 1..9_usize, room in 1..50_usize, together in 1..40_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("starts");
            runtime.block_on(async {
                let (lanes, seen) = noting(lanes, room);
                push(&lanes, &items, together).await;
                lanes.drain().await;
                assert_eq!(*seen.lock().expect("no panic"), expected(&items));
            });
        }
    }

    #[tokio::test]
    async fn a_full_lane_makes_its_caller_wait_or_says_so_and_loses_nothing() {
        let (lanes, seen) = noting(1, 2);
        assert!(lanes.try_push(&1, (1, 0)).is_ok() && lanes.try_push(&1, (1, 1)).is_ok());
        assert_eq!(lanes.try_push(&2, (2, 2)), Err(LaneError::Full((2, 2))));
        lanes.push(&2, (2, 2)).await.expect("room comes");
        lanes.drain().await;
        assert_eq!(*seen.lock().expect("no panic"), expected(&[(1, 0), (1, 1), (2, 2)]));
    }

    #[tokio::test]
    async fn what_comes_after_the_end_is_given_back() {
        let (lanes, seen) = noting(2, 2);
        lanes.push(&1, (1, 1)).await.expect("open");
        lanes.drain().await;
        assert_eq!(lanes.push(&1, (1, 2)).await, Err(LaneError::Drained((1, 2))));
        assert_eq!(lanes.try_push(&1, (1, 2)), Err(LaneError::Drained((1, 2))));
        assert_eq!(lanes.push_all([(1, (1, 2)), (1, (1, 3))]).await, Err(vec![(1, 2), (1, 3)]));
        lanes.drain().await;
        assert_eq!(*seen.lock().expect("no panic"), expected(&[(1, 1)]));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_item_only() {
        let (done, mut told) = mpsc::unbounded_channel();
        let lanes = Lanes::new(some(1), some(4), move |item: u32| {
            let done = done.clone();
            async move {
                assert_ne!(item, 2, "on purpose");
                done.send(item).expect("somebody listens");
            }
        });
        lanes.push_all((1..4).map(|item| (0, item))).await.expect("open");
        lanes.drain().await;
        assert_eq!((told.recv().await, told.recv().await), (Some(1), Some(3)));
    }
}
