//! Who waits for which job to finish, in this process.

use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use tokio::sync::Notify;
use windlass_core::JobId;

/// A bell per awaited job. Asking whether anybody waits costs one atomic read, so jobs nobody waits for pay nothing.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    bells: Mutex<HashMap<JobId, Bell>>,
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Bell {
    bell: Arc<Notify>,
    waiting: usize,
}

/// A place in the waiting room; the last to leave takes the bell along.
pub(crate) struct Waiter<'a> {
    room: &'a Waiters,
    id: JobId,
    bell: Arc<Notify>,
}

impl Waiters {
    pub(crate) fn enter(&self, id: JobId) -> Waiter<'_> {
        let mut bells = self.bells();
        let place = bells.entry(id).or_default();
        place.waiting += 1;
        let bell = place.bell.clone();
        self.count.store(bells.len(), Ordering::Release);
        Waiter { room: self, id, bell }
    }

    /// Whether nobody waits for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Tells those who wait for `id` to look.
    pub(crate) fn ring(&self, id: JobId) {
        if let Some(place) = self.bells().get(&id) {
            place.bell.notify_waiters();
        }
    }

    fn leave(&self, id: JobId) {
        let mut bells = self.bells();
        if let Entry::Occupied(mut place) = bells.entry(id) {
            place.get_mut().waiting -= 1;
            if place.get().waiting == 0 {
                place.remove();
            }
        }
        self.count.store(bells.len(), Ordering::Release);
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<JobId, Bell>> {
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
        self.room.leave(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::Timestamp;

    #[test]
    fn the_room_is_empty_when_everybody_has_left_in_whatever_order() {
        let (room, id) = (Waiters::default(), JobId::generate(Timestamp::UNIX_EPOCH));
        let (first, second) = (room.enter(id), room.enter(id));
        drop(first);
        assert!(!room.is_empty());
        drop(second);
        assert!(room.is_empty());
    }
}
