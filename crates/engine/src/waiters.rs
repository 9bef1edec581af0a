//! Who waits for which job to finish, in this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use windlass_core::JobId;

/// A bell per awaited job. Asking whether anybody waits costs one atomic read, so jobs nobody waits for pay nothing.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    bells: Mutex<HashMap<JobId, Arc<Notify>>>,
    count: AtomicUsize,
}

/// A place in the waiting room; leaving it frees the bell.
pub(crate) struct Waiter<'a> {
    room: &'a Waiters,
    id: JobId,
    bell: Arc<Notify>,
}

impl Waiters {
    pub(crate) fn enter(&self, id: JobId) -> Waiter<'_> {
        let mut bells = self.bells();
        let bell = bells.entry(id).or_default().clone();
        self.count.store(bells.len(), Ordering::Release);
        Waiter { room: self, id, bell }
    }

    /// Whether anybody waits for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Tells those who wait for `id` to look.
    pub(crate) fn ring(&self, id: JobId) {
        if let Some(bell) = self.bells().get(&id) {
            bell.notify_waiters();
        }
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Notify>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    /// The bell; arm it (`enable`) before looking at the job, so that no ring falls in between.
    pub(crate) fn bell(&self) -> &Notify {
        &self.bell
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut bells = self.room.bells();
        // Two of us: the map's and this one. Then nobody else waits for this job.
        if Arc::strong_count(&self.bell) == 2 {
            bells.remove(&self.id);
        }
        self.room.count.store(bells.len(), Ordering::Release);
    }
}
