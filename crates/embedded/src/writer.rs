//! The one thread that writes. It takes everything that waits into one transaction, which is answered once it is
//! durable, so that callers share the cost of the sync (group commit). It never waits to fill a batch.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc};
use windlass_store::{Error, ErrorKind, Hint};

use crate::connection;
use crate::fault::{Checked, Fault, Poison, echo};
use crate::inbox::Waiting;
use crate::ledger::Ledger;
use crate::lock::DirectoryLock;
use crate::mirror::Mirror;
use crate::options::EmbeddedOptions;
use crate::request::Request;
use crate::reserve::Reserve;
use crate::syncer::{Batch, Syncer};

/// Most requests in one transaction.
const REQUESTS_MAX: usize = 1_024;
/// Most jobs in one transaction, give or take one request: some tens of milliseconds of work.
const JOBS_MAX: usize = 20_000;
/// A batch of so few jobs has a caller who waits for it and nobody else.
const LONE_MAX: usize = 2;
/// How long the thread looks out for a lone caller's next request before it sleeps: about what waking it costs.
const LOOK_OUT: Duration = Duration::from_micros(60);

/// The thread's belongings. The syncer goes first, so that everything is answered before the connection folds its log
/// away; the lock comes last, so that it outlives the connection.
pub(crate) struct Writer {
    syncer: Syncer,
    pub(crate) conn: Connection,
    mirror: Mirror,
    options: EmbeddedOptions,
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
        let syncer = Syncer::start(connection::log(&conn)?, poison.clone(), hints)?;
        Ok(Self { conn, mirror, options, poison, reserve, syncer, _lock: lock })
    }

    pub(crate) fn poison(&self) -> Poison {
        self.poison.clone()
    }

    /// Works until nobody can ask any more and everything asked is answered.
    pub(crate) fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Waiting>) {
        let mut lone = false;
        while let Some(first) = next(&mut inbox, lone) {
            let batch = gather(first, &mut inbox);
            lone = batch.iter().map(Request::jobs).sum::<usize>() <= LONE_MAX;
            let more_waits = !inbox.is_empty();
            self.turn(batch, more_waits);
        }
    }

    /// One batch, from questions to answers; where more waits, another thread takes care of the sync and the answers.
    pub(crate) fn turn(&mut self, batch: Vec<Request>, more_waits: bool) {
        let mut requests = self.admit(batch);
        if requests.is_empty() {
            return;
        }
        let before = self.conn.total_changes();
        match self.commit(&mut requests) {
            Ok(hints) => {
                let changed = self.conn.total_changes() != before;
                self.make_durable(Batch { requests, hints }, changed, more_waits);
            }
            Err(fault) => self.recover(requests, fault.as_error()),
        }
    }

    /// Even what changed nothing waits for the commits that it has seen.
    fn make_durable(&self, batch: Batch, changed: bool, more_waits: bool) {
        match (self.syncer.is_idle(), changed, more_waits) {
            (true, false, _) => self.syncer.answer_at_once(batch),
            (true, true, false) => self.syncer.sync(batch),
            _ => self.syncer.hand_over(batch),
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

    fn commit(&mut self, batch: &mut [Request]) -> Checked<Vec<Hint>> {
        if let Some(poison) = self.poison.get() {
            return Err(Fault::new(poison.kind(), poison.to_string()));
        }
        match self.apply(batch) {
            Ok(hints) => {
                self.mirror.commit();
                Ok(hints)
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

    /// What others should hear of, once all of it is applied.
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
            Ok(hints) => self.make_durable(Batch { requests: vec![request], hints }, true, false),
            Err(fault) => request.refuse(fault.as_error()),
        }
    }
}

/// The next request. Waking a sleeping thread costs about a third of a small commit, so the thread stays awake a
/// moment for a lone caller, who is likely to have another one; it makes room for any other thread that can run.
fn next(inbox: &mut mpsc::UnboundedReceiver<Waiting>, lone: bool) -> Option<Waiting> {
    let began = Instant::now();
    while lone && began.elapsed() < LOOK_OUT {
        if let Ok(waiting) = inbox.try_recv() {
            return Some(waiting);
        }
        thread::yield_now();
    }
    inbox.blocking_recv()
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
