//! Many at once, up to a bound.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Runs work in the tasks that ask for it, so many at once and no more. What does not wait costs little more than itself:
/// it is begun where it stands, in room that is used again.
#[derive(Debug)]
pub struct Parallel {
    places: Semaphore,
    bound: u32,
}

/// How many of a batch are begun before others have a turn.
const TURN: usize = 32;

/// Room for a future, to be used again once that has ended.
type Room<F> = Pin<Box<Option<F>>>;

impl Parallel {
    /// At most `bound` at once.
    pub fn new(bound: NonZeroU32) -> Self {
        Self { places: Semaphore::new(bound.get() as usize), bound: bound.get() }
    }

    /// Runs `work` once there is a place for it; those who wait take their turns.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        let _place = self.place().await;
        work.await
    }

    /// Runs `work` on all of `batch`, in the caller's task, and gives what came out in the order of the batch.
    pub async fn run_all<T, F: Future>(
        &self,
        batch: impl IntoIterator<Item = T>,
        work: impl Fn(T) -> F,
    ) -> Vec<F::Output> {
        let batch = batch.into_iter();
        let mut run = Batch::new(self, batch.size_hint().0);
        for (number, item) in batch.enumerate() {
            if number % TURN == TURN - 1 {
                run.let_others_go().await;
            }
            run.begin(work(item)).await;
        }
        run.finish().await
    }

    /// Waits until nothing runs; new work waits meanwhile.
    pub async fn drained(&self) {
        drop(self.places.acquire_many(self.bound).await);
    }

    async fn place(&self) -> SemaphorePermit<'_> {
        self.places.acquire().await.expect("it is never closed")
    }
}

/// A batch under way.
struct Batch<'p, F: Future> {
    parallel: &'p Parallel,
    done: Vec<Option<F::Output>>,
    waiting: FuturesUnordered<Waiting<'p, F>>,
    /// Room and a place that are free.
    room: Option<Room<F>>,
    place: Option<SemaphorePermit<'p>>,
}

impl<'p, F: Future> Batch<'p, F> {
    fn new(parallel: &'p Parallel, length: usize) -> Self {
        Self { parallel, done: Vec::with_capacity(length), waiting: FuturesUnordered::new(), room: None, place: None }
    }

    /// Begins the next one. What comes to its end at once needs no room of its own.
    async fn begin(&mut self, work: F) {
        let place = self.next_place().await;
        let mut room = self.room.take().unwrap_or_else(|| Box::pin(None));
        room.set(Some(work));
        let at = self.done.len();
        match poll_fn(|poller| Poll::Ready(poll_room(&mut room, poller))).await {
            Poll::Ready(output) => {
                self.done.push(Some(output));
                (self.room, self.place) = (Some(room), Some(place));
            }
            Poll::Pending => {
                self.done.push(None);
                self.waiting.push(Waiting { at, room: Some(room), place: Some(place) });
            }
        }
    }

    /// Queues for a place again, and lets other tasks go on.
    async fn let_others_go(&mut self) {
        self.place = None;
        tokio::task::consume_budget().await;
    }

    /// A place of its own or, while there is none, that of one which ends.
    async fn next_place(&mut self) -> SemaphorePermit<'p> {
        loop {
            if let Some(place) = self.place.take() {
                return place;
            }
            if self.waiting.is_empty() {
                return self.parallel.place().await;
            }
            tokio::select! {
                biased;
                Some(ended) = self.waiting.next() => self.note(ended),
                place = self.parallel.place() => return place,
            }
        }
    }

    fn note(&mut self, ended: Ended<'p, F>) {
        self.done[ended.at] = Some(ended.output);
        (self.room, self.place) = (ended.room, ended.place);
    }

    async fn finish(mut self) -> Vec<F::Output> {
        self.place = None;
        while let Some(ended) = self.waiting.next().await {
            self.note(ended);
            self.place = None;
        }
        self.done.into_iter().flatten().collect()
    }
}

/// What did not end at once.
struct Waiting<'p, F> {
    at: usize,
    room: Option<Room<F>>,
    place: Option<SemaphorePermit<'p>>,
}

struct Ended<'p, F: Future> {
    at: usize,
    output: F::Output,
    room: Option<Room<F>>,
    place: Option<SemaphorePermit<'p>>,
}

impl<'p, F: Future> Future for Waiting<'p, F> {
    type Output = Ended<'p, F>;

    fn poll(mut self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<Self::Output> {
        let Some(room) = &mut self.room else { return Poll::Pending };
        let output = ready!(poll_room(room, poller));
        Poll::Ready(Ended { at: self.at, output, room: self.room.take(), place: self.place.take() })
    }
}

/// Goes on with what is in the room, and empties it at its end.
fn poll_room<F: Future>(room: &mut Room<F>, poller: &mut Poller<'_>) -> Poll<F::Output> {
    let Some(work) = room.as_mut().as_pin_mut() else { return Poll::Pending };
    let output = ready!(work.poll(poller));
    room.set(None);
    Poll::Ready(output)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Barrier;

    use super::*;

    fn at_most(bound: u32) -> Parallel {
        Parallel::new(NonZeroU32::new(bound).expect("more than none"))
    }

    /// Gives the most that ran at once, and what came out.
    async fn crowd(parallel: &Parallel, batch: u32) -> (u32, Vec<u32>) {
        let (now, most) = (AtomicU32::new(0), AtomicU32::new(0));
        let work = async |number: u32| {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            for _ in 0..number % 3 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::Relaxed);
            number * 2
        };
        let done = parallel.run_all(0..batch, work).await;
        (most.into_inner(), done)
    }

    #[tokio::test]
    async fn a_batch_keeps_to_the_bound_and_to_its_order() {
        for bound in [1, 2, 7, 1_000] {
            let (most, done) = crowd(&at_most(bound), 100).await;
            assert!(most <= bound, "{most} at once");
            assert_eq!(done, (0..100).map(|number| number * 2).collect::<Vec<_>>());
        }
        assert!(crowd(&at_most(2), 0).await.1.is_empty());
    }

    #[tokio::test]
    async fn what_has_to_be_together_is_and_batches_share_the_bound() {
        let parallel = at_most(8);
        let meeting = Barrier::new(8);
        let half = || parallel.run_all(0..4, |_| async { meeting.wait().await });
        let (one, other) = tokio::join!(half(), half());
        assert_eq!(one.iter().chain(&other).filter(|met| met.is_leader()).count(), 1);
        parallel.drained().await;
    }

    #[tokio::test]
    async fn one_waits_for_a_place_and_draining_for_all() {
        let parallel = at_most(1);
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let mut first = Box::pin(parallel.run(gone));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        let mut second = Box::pin(parallel.run(async { 2 }));
        let mut drained = Box::pin(parallel.drained());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        assert!(futures_util::poll!(drained.as_mut()).is_pending());
        go.send(()).expect("it waits");
        assert!(first.await.is_ok());
        assert_eq!(second.await, 2);
        drained.await;
    }
}
