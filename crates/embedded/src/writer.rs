//! The one thread that writes. It takes everything that waits into one transaction and answers after the commit, so
//! that callers share the cost of the sync (group commit). It never waits to fill a batch.

use std::sync::{Arc, OnceLock};

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc};
use windlass_store::{Error, ErrorKind, Hint};

use crate::fault::{Checked, Fault, echo};
use crate::inbox::Waiting;
use crate::ledger::Ledger;
use crate::lock::DirectoryLock;
use crate::mirror::Mirror;
use crate::options::EmbeddedOptions;
use crate::request::Request;
use crate::reserve::Reserve;

/// Most requests in one transaction.
const REQUESTS_MAX: usize = 1_024;
/// Most jobs in one transaction, give or take one request: some tens of milliseconds of work.
const JOBS_MAX: usize = 20_000;

/// Why the store takes no more writes, once it does not.
pub(crate) type Poison = Arc<OnceLock<Error>>;

/// The thread's belongings. The lock comes last, so that it outlives the connection.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    mirror: Mirror,
    options: EmbeddedOptions,
    hints: broadcast::Sender<Hint>,
    poison: Poison,
    reserve: Reserve,
    _lock: DirectoryLock,
}

impl Writer {
    pub(crate) fn new(
        conn: Connection,
        options: &EmbeddedOptions,
        hints: broadcast::Sender<Hint>,
        reserve: Reserve,
        lock: DirectoryLock,
    ) -> Checked<Self> {
        let mirror = Mirror::load(&conn)?;
        let (options, poison) = (options.clone(), Poison::default());
        Ok(Self { conn, mirror, options, hints, poison, reserve, _lock: lock })
    }

    pub(crate) fn poison(&self) -> Poison {
        self.poison.clone()
    }

    /// Works until nobody can ask any more and everything asked is answered.
    pub(crate) fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Waiting>) {
        while let Some(first) = inbox.blocking_recv() {
            let batch = gather(first, &mut inbox);
            self.turn(batch);
        }
    }

    /// One batch, from questions to answers.
    pub(crate) fn turn(&mut self, batch: Vec<Request>) {
        let mut batch = self.admit(batch);
        if batch.is_empty() {
            return;
        }
        match self.commit(&mut batch) {
            Ok(()) => batch.into_iter().for_each(Request::acknowledge),
            Err(fault) => self.recover(batch, fault.as_error()),
        }
    }

    /// After a full disk new jobs are taken again when the reserve stands again: else they would eat the room
    /// that settlements need.
    fn admit(&mut self, mut batch: Vec<Request>) -> Vec<Request> {
        batch.iter_mut().for_each(Request::forget_absent_claim);
        if batch.iter().any(Request::brings_jobs) && !self.reserve.restore() {
            let full = Error::new(ErrorKind::Full, "the disk is full; new jobs are taken when there is room");
            return refuse_some(batch, Request::brings_jobs, &full);
        }
        batch
    }

    fn commit(&mut self, batch: &mut [Request]) -> Checked<()> {
        if let Some(poison) = self.poison.get() {
            return Err(Fault::new(poison.kind(), poison.to_string()));
        }
        match self.apply(batch) {
            Ok(hints) => {
                self.mirror.commit();
                self.announce(hints);
                Ok(())
            }
            Err(fault) => {
                self.roll_back();
                if fault.kind() == ErrorKind::Poisoned {
                    self.poison_with(fault.as_error());
                }
                Err(fault)
            }
        }
    }

    /// A transaction that changes nothing costs no sync: SQLite writes no log for it.
    fn apply(&mut self, batch: &mut [Request]) -> Checked<Vec<Hint>> {
        let mut hints = Vec::new();
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for request in batch {
            let mut ledger = Ledger::new(&self.conn, &mut self.mirror, self.options.clock.now());
            request.apply(&mut ledger, self.options.retention)?;
            hints.append(&mut ledger.news.hints);
        }
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(hints)
    }

    fn roll_back(&mut self) {
        self.mirror.rollback();
        if self.conn.is_autocommit() {
            return;
        }
        if let Err(error) = self.conn.execute_batch("ROLLBACK") {
            self.poison_with(&Error::with_source(ErrorKind::Poisoned, "a failed write cannot be taken back", error));
        }
    }

    pub(crate) fn poison_with(&mut self, error: &Error) {
        tracing::error!(%error, "the store takes no more writes until it is opened again");
        let _already_poisoned = self.poison.set(echo(error));
    }

    /// One `Ready` for the whole batch is enough.
    fn announce(&self, hints: Vec<Hint>) {
        let mut ready_said = false;
        for hint in hints {
            if hint != Hint::Ready || !std::mem::replace(&mut ready_said, true) {
                let _nobody_listens = self.hints.send(hint);
            }
        }
    }

    /// Nothing of the batch was written. Whoever shared the transaction with the culprit gets one of its own, so
    /// that only the culprit is refused; but a failed write to the disk is never tried again.
    fn recover(&mut self, batch: Vec<Request>, error: &Error) {
        let batch = match error.kind() {
            ErrorKind::Poisoned => refuse_some(batch, |_| true, error),
            ErrorKind::Full => {
                tracing::warn!(%error, "new jobs are refused until there is room; running jobs use the reserve");
                self.reserve.spend();
                refuse_some(batch, Request::brings_jobs, error)
            }
            _ if batch.len() == 1 => refuse_some(batch, |_| true, error),
            _ => batch,
        };
        for request in batch {
            self.alone(request);
        }
    }

    fn alone(&mut self, request: Request) {
        let mut batch = [request];
        let done = self.commit(&mut batch);
        let [request] = batch;
        match done {
            Ok(()) => request.acknowledge(),
            Err(fault) => request.refuse(fault.as_error()),
        }
    }
}

/// Everything that waits, within bounds.
fn gather(first: Waiting, inbox: &mut mpsc::UnboundedReceiver<Waiting>) -> Vec<Request> {
    let mut weight = first.request.weight();
    let mut batch = vec![first.request];
    while batch.len() < REQUESTS_MAX && weight < JOBS_MAX {
        let Ok(next) = inbox.try_recv() else { break };
        weight += next.request.weight();
        batch.push(next.request);
    }
    batch
}

/// Refuses the requests that `these` picks and gives the others back.
fn refuse_some(batch: Vec<Request>, these: impl Fn(&Request) -> bool, error: &Error) -> Vec<Request> {
    let (refused, kept): (Vec<_>, Vec<_>) = batch.into_iter().partition(these);
    refused.into_iter().for_each(|request| request.refuse(error));
    kept
}
