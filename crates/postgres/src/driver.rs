//! A thread that drives connections of its own, so that handlers that block every thread of the application's runtime
//! cannot keep leases from being extended, nor hints from being heard. It is no place for all connections: one more
//! thread between a caller and the server costs a lone submission a quarter.

use std::future::Future;

use deadpool_postgres::Connect;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::context::TokioContext;

use crate::fault::{Checked, Fault};

/// A runtime of its own, with one thread.
pub(crate) struct Driver(Option<Runtime>);

impl Driver {
    pub(crate) fn start() -> Checked<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("windlass-postgres").enable_all().build();
        let runtime = runtime.map_err(|error| Fault::config(format!("cannot start a thread: {error}")))?;
        Ok(Self(Some(runtime)))
    }

    /// Runs a task there, for as long as the driver lives.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(task);
        }
    }

    /// What makes connections that live there.
    pub(crate) fn connector(&self, tls: MakeRustlsConnect) -> Checked<Connector> {
        let runtime = self.0.as_ref().ok_or_else(|| Fault::config("the store was closed"))?;
        Ok(Connector { there: runtime.handle().clone(), tls })
    }
}

impl Drop for Driver {
    /// Every task ends where it stands; a store may be dropped on a thread that must not wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes connections for a pool.
pub(crate) struct Connector {
    there: Handle,
    tls: MakeRustlsConnect,
}

type Connected = Result<(Client, JoinHandle<()>), Error>;

impl Connect for Connector {
    fn connect(&self, config: &Config) -> futures_util::future::BoxFuture<'_, Connected> {
        let (there, tls, config) = (self.there.clone(), self.tls.clone(), config.clone());
        Box::pin(async move {
            // A socket belongs to the runtime that made it.
            let (client, connection) = TokioContext::new(config.connect(tls), there.clone()).await?;
            let driven = there.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to PostgreSQL has ended");
                }
            });
            Ok((client, driven))
        })
    }
}
