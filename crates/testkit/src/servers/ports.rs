//! Ports for servers that keep their address while they are away.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Below those that Linux gives to outgoing connections, and so are the ports of the bus. Nobody takes the port of a
/// server that has been killed before it is started again, and no client that keeps trying is connected to itself.
const PORTS: Range<u16> = 12_768..22_768;

/// How far above its port a node of a cluster talks with the others.
const BUS: u16 = 10_000;

/// No port is given twice in a process. Processes begin anywhere, lest two of them meet.
static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(()) >> 1));

/// A port that is free, and so is the one of its bus.
pub(super) fn free() -> io::Result<u16> {
    let mut tried = PORTS.map(|_| next());
    let found = tried.find(|port| is_free(*port) && is_free(port + BUS));
    found.ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no port is free"))
}

fn next() -> u16 {
    let place = NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len() as u64;
    PORTS.start + place as u16
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
