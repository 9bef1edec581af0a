//! A way to a server that can be cut, or made to swallow what is sent.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Passes on what connections to [`address`](Self::address) say to a server and back, as long as it is told to.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    way: Mutex<Way>,
    changed: Condvar,
    /// How many bytes the server may still answer before every connection is cut; none while it is zero.
    cut_after: AtomicUsize,
}

#[derive(Debug, Default)]
struct Way {
    blocked: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// Starts one in front of `server`.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (way, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { server, way, changed, cut_after: AtomicUsize::new(0) });
        let accepting = shared.clone();
        thread::Builder::new().name("proxy".into()).spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that cannot be made on is closed, as a server that is away would.
                let _refused = accepting.connect(client);
            }
        })?;
        Ok(Self { address, shared })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds back everything from now on, in both directions, as a network that lost its way: connections stay open.
    pub fn block(&self) {
        self.shared.way().blocked = true;
    }

    /// Lets everything pass again, what was held back first.
    pub fn unblock(&self) {
        self.shared.way().blocked = false;
        self.shared.changed.notify_all();
    }

    /// Cuts all connections once the server has answered so many more bytes, amid an answer as likely as not.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.cut_after.store(bytes.max(1), Ordering::SeqCst);
    }
}

impl Shared {
    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.way().open.extend([client.try_clone()?, server.try_clone()?]);
        for (from, to, counts) in [(client.try_clone()?, server.try_clone()?, false), (server, client, true)] {
            let shared = self.clone();
            thread::Builder::new().name("proxy".into()).spawn(move || shared.pass_on(from, to, counts))?;
        }
        Ok(())
    }

    fn pass_on(&self, mut from: TcpStream, mut to: TcpStream, answers: bool) {
        let mut piece = [0; 16 << 10];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            drop(self.changed.wait_while(self.way(), |way| way.blocked));
            let length = if answers { self.allowed(length) } else { Some(length) };
            let Some(length) = length else { break };
            if to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        let _closed_already = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    /// How much of an answer passes; `None` when everything has just been cut.
    fn allowed(&self, length: usize) -> Option<usize> {
        let left = self.cut_after.load(Ordering::SeqCst);
        if left == 0 {
            return Some(length);
        }
        if length < left {
            self.cut_after.fetch_sub(length, Ordering::SeqCst);
            return Some(length);
        }
        self.cut_after.store(0, Ordering::SeqCst);
        for connection in self.way().open.drain(..) {
            let _closed_already = connection.shutdown(Shutdown::Both);
        }
        None
    }
}
