//! Serves a router: header timeout, connection cap, and a drain that stops the engine too.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower_service::Service;
use windlass_engine::Engine;

/// The largest request head, in bytes; more is answered with `431`.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// The pause after the operating system refused a connection, which mostly means that file handles have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP/1.1 on one listener. It has what `axum::serve` lacks: a limit on the time a request's head may take,
/// with a timer that enforces it, and a limit on connections.
#[derive(Clone)]
pub struct Server {
    engine: Engine,
    router: Router,
    connections_max: usize,
    header_timeout: Duration,
}

/// Serves `router` on `address` until the process gets SIGTERM or SIGINT, then drains: no new connections, requests
/// and jobs under way go on for `shutdown_grace`. A second signal gives running jobs back and ends at once.
pub async fn serve(engine: &Engine, address: impl ToSocketAddrs, router: Router) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let signals = signals()?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    Server::new(engine, router).run(listener, count(signals.clone(), 1), count(signals, 2)).await;
    Ok(())
}

impl Server {
    /// A server with 10 000 connections at most and 10 s for a request's head, which is also how long an idle
    /// connection is kept.
    pub fn new(engine: &Engine, router: Router) -> Self {
        Self { engine: engine.clone(), router, connections_max: 10_000, header_timeout: Duration::from_secs(10) }
    }

    /// Changes the most connections at a time; further ones wait in the operating system's queue.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// Changes how long a request's head may take.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// Serves until `stop` ends or the engine shuts down, then drains the connections and the engine, for
    /// `shutdown_grace` at most or until `stop_now` ends.
    pub async fn run(self, listener: TcpListener, stop: impl Future<Output = ()>, stop_now: impl Future<Output = ()>) {
        // Each connection holds a receiver. A message drains them, dropping the sender cuts what is left.
        let (drain, draining) = watch::channel(());
        tokio::select! {
            () = self.accept(&listener, draining) => {}
            () = stop => {}
            () = self.engine.shutting_down() => {}
        }
        drop(listener);
        // Fails only when there are no connections to tell.
        let _ = drain.send(());
        tokio::select! {
            () = self.drain(&drain) => {}
            () = stop_now => self.give_up().await,
        }
    }

    /// Gives running jobs back, and waits for no more than that they are back in the store.
    async fn give_up(&self) {
        self.engine.shutdown_now().await;
        self.engine.shutdown().await;
    }

    async fn drain(&self, drain: &watch::Sender<()>) {
        let grace = self.engine.settings().shutdown_grace;
        let (drained, ()) = tokio::join!(tokio::time::timeout(grace, drain.closed()), self.engine.shutdown());
        if drained.is_err() {
            tracing::warn!(connections = drain.receiver_count(), "the grace period is over; cutting connections");
        }
    }

    /// Accepts connections for ever.
    async fn accept(&self, listener: &TcpListener, draining: watch::Receiver<()>) {
        let slots = Arc::new(Semaphore::new(self.connections_max));
        // The semaphore is never closed, so there is always a permit to come.
        while let Ok(slot) = slots.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = Connection { stream, peer, router: self.router.clone(), slot };
                    tokio::spawn(connection.serve(self.header_timeout, draining.clone()));
                }
                Err(error) if is_the_peers(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections for now");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Whether the connection failed before it was accepted, which says nothing about the next one.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, header_timeout: Duration, mut draining: watch::Receiver<()>) {
        let Self { stream, peer, router, slot } = self;
        // Answers are small and waited for; without this each could be held back for 40 ms.
        let _ = stream.set_nodelay(true);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        loop {
            tokio::select! {
                // What ends a connection is the client's doing: it hung up, was too slow, or spoke no HTTP.
                _ = connection.as_mut() => break,
                told = draining.changed() => match told {
                    Ok(()) => connection.as_mut().graceful_shutdown(),
                    Err(_) => break,
                },
            }
        }
        drop(slot);
    }
}

/// Ends when `signals` has counted to `number`.
async fn count(mut signals: watch::Receiver<u8>, number: u8) {
    if signals.wait_for(|seen| *seen >= number).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Counts SIGTERM and SIGINT (Ctrl-C where there are no signals).
fn signals() -> io::Result<watch::Receiver<u8>> {
    let (seen, signals) = watch::channel(0);
    let mut source = Source::listen()?;
    tokio::spawn(async move {
        while source.next().await && *seen.borrow() < 2 {
            seen.send_modify(|seen| *seen += 1);
        }
    });
    Ok(signals)
}

#[cfg(unix)]
struct Source {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> bool {
        tokio::select! {
            got = self.terminate.recv() => got.is_some(),
            got = self.interrupt.recv() => got.is_some(),
        }
    }
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
