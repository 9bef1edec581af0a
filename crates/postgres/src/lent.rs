//! Connections out of the pool. One that is let go of amid a question (the caller has gone, or lost patience) is closed:
//! nobody knows whether its answer will ever come, and the next question must not wait behind it.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Object;
use tokio_postgres::Client;

pub(crate) struct Lent {
    /// Until this is dropped.
    object: Option<Object>,
    answered: AtomicBool,
}

impl Lent {
    pub(crate) fn new(object: Object) -> Self {
        Self { object: Some(object), answered: AtomicBool::new(false) }
    }

    /// Passes on what came of a question to which the whole answer has been read.
    pub(crate) fn answered<T>(&self, answer: T) -> T {
        self.answered.store(true, Ordering::Relaxed);
        answer
    }
}

impl Deref for Lent {
    type Target = Client;

    fn deref(&self) -> &Client {
        match &self.object {
            Some(object) => object,
            None => unreachable!("it is taken out when this is dropped, and not before"),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(object) = self.object.take()
            && !self.answered.load(Ordering::Relaxed)
        {
            drop(Object::take(object));
        }
    }
}
