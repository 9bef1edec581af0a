//! What a handler's future comes to, without a future around it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// A future, and what its output is made into. Unlike an `async` block it has no state of its own, which would be kept, set
    /// and asked for with each call of a handler. For `#[handler]`.
    #[must_use = "nothing happens before it is awaited"]
    pub struct Mapped<F, Make> {
        #[pin]
        future: F,
        make: Make,
    }
}

impl<F, Make> Mapped<F, Make> {
    /// The output of `future`, made into something else.
    #[inline]
    pub fn new(future: F, make: Make) -> Self {
        Self { future, make }
    }
}

impl<F: Future, R, Make: Fn(F::Output) -> R> Future for Mapped<F, Make> {
    type Output = R;

    #[inline]
    fn poll(self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<R> {
        let mapped = self.project();
        mapped.future.poll(poller).map(mapped.make)
    }
}
