//! The way to the writer: bounded, refused at once when only new jobs would wait, patient for everything else.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};
use windlass_store::{Error, ErrorKind, Result};

use crate::request::{Call, Request};

/// A request on its way, with its place in the line in front of the writer.
pub(crate) struct Waiting {
    pub(crate) request: Request,
    _place: OwnedSemaphorePermit,
}

/// The callers' end.
pub(crate) struct Inbox {
    /// Unbounded, because the places bound it; gone when the store is closed.
    sender: Mutex<Option<mpsc::UnboundedSender<Waiting>>>,
    places: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Inbox {
    /// An inbox with `depth` places, and the writer's end of it.
    pub(crate) fn new(depth: usize) -> (Self, mpsc::UnboundedReceiver<Waiting>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let places = Arc::new(Semaphore::new(depth.min(Semaphore::MAX_PERMITS)));
        (Self { sender: Mutex::new(Some(sender)), places, thread: Mutex::new(None) }, receiver)
    }

    /// Takes charge of the writer's thread.
    pub(crate) fn attach(&self, thread: JoinHandle<()>) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// Asks the writer and waits for its answer.
    pub(crate) async fn ask<Q, A>(&self, ask: Q, verb: fn(Call<Q, A>) -> Request) -> Result<A> {
        let (call, answer) = Call::new(ask);
        let request = verb(call);
        let place = self.place(&request).await?;
        self.send(Waiting { request, _place: place })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn place(&self, request: &Request) -> Result<OwnedSemaphorePermit> {
        let places = self.places.clone();
        if !request.only_brings_jobs() {
            return places.acquire_owned().await.map_err(|_| closed());
        }
        places.try_acquire_owned().map_err(|refusal| match refusal {
            TryAcquireError::NoPermits => Error::new(ErrorKind::Full, "too many requests are waiting for the disk"),
            TryAcquireError::Closed => closed(),
        })
    }

    fn send(&self, waiting: Waiting) -> Result<()> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sender.as_ref().and_then(|sender| sender.send(waiting).ok());
        sent.ok_or_else(closed)
    }

    /// Takes no more requests and waits until those taken are answered.
    pub(crate) fn close(&self) {
        self.places.close();
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer panicked; what it did not acknowledge was not written");
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store was closed")
}

fn stopped() -> Error {
    Error::new(ErrorKind::Unavailable, "the writer stopped before it answered")
}
