//! The way to the server: one connection that many questions share, made again when it breaks. A question whose caller
//! has gone is answered all the same, and the answer thrown away by the driver, so that no answer reaches another caller.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{Cmd, RedisError, Value};
use tokio::runtime::Handle;

use crate::address::{Address, Connection};
use crate::fault::{Checked, Fault};
use crate::options::Replicas;

pub(crate) struct Link {
    address: Arc<Address>,
    /// Where the connection is driven; `None` for wherever it is made.
    there: Option<Handle>,
    current: Mutex<Current>,
    /// One caller makes a new connection, the others wait for it.
    dialing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Current {
    connection: Option<Connection>,
    /// How many connections there have been, so that a caller gives up the one that failed it and no later one.
    number: u64,
}

impl Link {
    pub(crate) fn new(address: Arc<Address>, there: Option<Handle>) -> Self {
        Self { address, there, current: Mutex::default(), dialing: tokio::sync::Mutex::default() }
    }

    pub(crate) async fn ask(&self, question: &Cmd) -> Checked<Result<Value, RedisError>> {
        let (connection, number) = self.connection().await?;
        let answer = match connection {
            Connection::Server(mut server) => question.query_async(&mut server).await,
            Connection::Cluster(mut cluster) => question.query_async(&mut cluster).await,
        };
        Ok(self.judge(answer, number))
    }

    /// The answer, and how many replicas have what was done, at least `replicas` unless it took too long. All of it goes over
    /// one connection, because `WAIT` is about what its own connection wrote; and something is written in any case, to
    /// `mark`, because an answer that only repeats another is about what a connection wrote that may be gone.
    pub(crate) async fn ask_and_wait(
        &self,
        question: &Cmd,
        mark: &str,
        replicas: Replicas,
    ) -> Checked<Result<(Value, u32), RedisError>> {
        let (connection, number) = self.connection().await?;
        let Connection::Server(server) = connection else {
            return Err(Fault::config("on a cluster, replicas cannot be waited for"));
        };
        let patience = u64::try_from(replicas.timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        let (mut written, mut wait) = (redis::cmd("INCRBY"), redis::cmd("WAIT"));
        written.arg(mark).arg(1);
        wait.arg(replicas.count).arg(patience);
        let mut ways = [server.clone(), server.clone(), server];
        let [first, second, third] = &mut ways;
        // Each is sent at its first look, one behind the other.
        let (answer, _, reached) = tokio::join!(
            biased;
            question.query_async::<Value>(first),
            written.query_async::<i64>(second),
            wait.query_async::<u32>(third),
        );
        let answer = answer.and_then(|answer| Ok((answer, reached?)));
        Ok(self.judge(answer, number))
    }

    /// The answer; a connection that is of no use any more is given up.
    fn judge<T>(&self, answer: Result<T, RedisError>, number: u64) -> Result<T, RedisError> {
        if let Err(error) = &answer
            && is_broken(error)
        {
            self.give_up(number);
        }
        answer
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Option<(Connection, u64)> {
        let current = self.current();
        current.connection.clone().map(|connection| (connection, current.number))
    }

    async fn connection(&self) -> Checked<(Connection, u64)> {
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let _one_at_a_time = self.dialing.lock().await;
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let connection = self.dial().await?;
        let mut current = self.current();
        current.number += 1;
        current.connection = Some(connection.clone());
        Ok((connection, current.number))
    }

    async fn dial(&self) -> Checked<Connection> {
        let Some(there) = &self.there else { return self.address.connect().await };
        let address = self.address.clone();
        let dialing = there.spawn(async move { address.connect().await });
        dialing.await.map_err(|_| Fault::unavailable("the store was closed"))?
    }

    fn give_up(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.connection = None;
        }
    }
}

/// Whether a new connection may do better: this one is gone or silent, or leads to a server that is no primary any more.
fn is_broken(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_connection_dropped()
        || error.is_timeout()
        || error.is_io_error()
        || matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "LOADING" | "CLUSTERDOWN"))
}
