//! A thread that drives connections of its own, so that handlers that block every thread of the application's runtime
//! cannot keep leases from being extended, nor hints from being heard.

use std::future::Future;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::fault::{Checked, Fault};

/// A runtime of its own, with one thread.
pub(crate) struct Driver {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Driver {
    pub(crate) fn start() -> Checked<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("windlass-redis").enable_all().build();
        let runtime = runtime.map_err(|error| Fault::config(format!("cannot start a thread: {error}")))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where its tasks run.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs a task there, for as long as the driver lives.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }
}

impl Drop for Driver {
    /// Every task ends where it stands; a store may be dropped on a thread that must not wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
