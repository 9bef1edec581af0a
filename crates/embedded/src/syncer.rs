//! Makes commits durable, and only then answers them.
//!
//! SQLite could sync inside each commit (`synchronous=FULL`), with the writer waiting for the disk. Here it commits
//! without that (`NORMAL`) and the log is synced afterwards, where more work waits by a second thread: while the disk
//! is busy with one batch the writer makes the next, and one sync answers every batch that was committed before it
//! began. The log is a chain of checksums, so what outlives a power cut is a prefix of the commits, and everything
//! acknowledged lies within it (ADR 6).

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::sync::broadcast;
use windlass_store::{Error, ErrorKind, Hint};

use crate::fault::{Checked, Fault, Poison, echo};
use crate::request::Request;

/// Requests that were committed together, and what others should hear of them.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) requests: Vec<Request>,
    pub(crate) hints: Vec<Hint>,
}

/// The writer's end.
pub(crate) struct Syncer {
    disk: Arc<Disk>,
    /// Gone once the writer is.
    batches: Option<mpsc::Sender<Batch>>,
    thread: Option<JoinHandle<()>>,
}

/// SQLite's log, and who is told when it is synced.
struct Disk {
    log: File,
    poison: Poison,
    hints: broadcast::Sender<Hint>,
    /// Batches handed to the thread and not answered.
    pending: AtomicUsize,
}

impl Syncer {
    /// Starts the thread that syncs `log`, which SQLite writes.
    pub(crate) fn start(log: File, poison: Poison, hints: broadcast::Sender<Hint>) -> Checked<Self> {
        let disk = Arc::new(Disk { log, poison, hints, pending: AtomicUsize::new(0) });
        let (batches, committed) = mpsc::channel();
        let thread = thread::Builder::new().name("windlass-sync".into()).spawn({
            let disk = disk.clone();
            move || disk.run(&committed)
        });
        let thread = thread.map_err(|error| Fault::file("cannot start the thread that syncs", error))?;
        Ok(Self { disk, batches: Some(batches), thread: Some(thread) })
    }

    /// Whether every commit so far is durable.
    pub(crate) fn is_idle(&self) -> bool {
        self.disk.pending.load(Ordering::Acquire) == 0
    }

    /// Answers what changed nothing and rests on nothing that is not durable yet.
    pub(crate) fn answer_at_once(&self, batch: Batch) {
        self.disk.answer(batch);
    }

    /// Syncs on the caller's thread and answers.
    pub(crate) fn sync(&self, batch: Batch) {
        self.disk.sync(batch);
    }

    /// Has the thread sync, and answer when it is done.
    pub(crate) fn hand_over(&self, batch: Batch) {
        self.disk.pending.fetch_add(1, Ordering::AcqRel);
        if let Some(batches) = &self.batches
            && let Err(mpsc::SendError(batch)) = batches.send(batch)
        {
            self.disk.refuse(batch, &Error::new(ErrorKind::Unavailable, "the thread that syncs has stopped"));
        }
    }
}

impl Disk {
    fn run(&self, committed: &mpsc::Receiver<Batch>) {
        while let Ok(mut batch) = committed.recv() {
            let mut batches = 1;
            for mut next in committed.try_iter() {
                batch.requests.append(&mut next.requests);
                batch.hints.append(&mut next.hints);
                batches += 1;
            }
            self.sync(batch);
            self.pending.fetch_sub(batches, Ordering::AcqRel);
        }
    }

    /// A failed sync is never tried again: the system may have dropped what it could not write, and say yes next time.
    fn sync(&self, batch: Batch) {
        if self.poison.get().is_none()
            && let Err(error) = self.log.sync_data()
        {
            tracing::error!(%error, "the log cannot be synced; nothing is acknowledged until the store is opened again");
            let why = "syncing the log failed; open the store again to recover";
            let _poisoned_meanwhile = self.poison.set(Error::with_source(ErrorKind::Poisoned, why, error));
        }
        match self.poison.get() {
            None => self.answer(batch),
            Some(error) => self.refuse(batch, error),
        }
    }

    /// The hints go first: whoever hears one and is answered too wakes once. One `Ready` is enough for all.
    fn answer(&self, batch: Batch) {
        let mut ready_said = false;
        for hint in batch.hints {
            if hint != Hint::Ready || !std::mem::replace(&mut ready_said, true) {
                let _nobody_listens = self.hints.send(hint);
            }
        }
        batch.requests.into_iter().for_each(Request::acknowledge);
    }

    fn refuse(&self, batch: Batch, error: &Error) {
        let error = echo(error);
        batch.requests.into_iter().for_each(|request| request.refuse(&error));
    }
}

impl Drop for Syncer {
    /// Waits until everything committed is answered.
    fn drop(&mut self) {
        drop(self.batches.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that syncs panicked; what it did not acknowledge may not be durable");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use windlass_store::{Exchange, Exchanged, Result};

    use super::*;
    use crate::request::Call;

    type Answer = oneshot::Receiver<Result<Exchanged>>;

    fn batch() -> (Batch, Answer) {
        let (call, answer) = Call::answered(Exchange::default(), Exchanged::default());
        (Batch { requests: vec![Request::Exchange(call)], hints: vec![Hint::Ready] }, answer)
    }

    fn syncer(log: File) -> (Syncer, broadcast::Receiver<Hint>, Poison) {
        let (hints, heard) = broadcast::channel(4);
        let poison = Poison::default();
        (Syncer::start(log, poison.clone(), hints).expect("starts"), heard, poison)
    }

    /// `/dev/null` cannot be synced. Whatever was committed meanwhile is refused, and nothing is tried a second time.
    #[test]
    fn nothing_is_acknowledged_and_nobody_hears_of_it_when_the_sync_fails() {
        let (syncer, mut heard, poison) = syncer(File::open("/dev/null").expect("opens"));
        let ((first, here), (second, there)) = (batch(), batch());
        syncer.sync(first);
        syncer.hand_over(second);
        drop(syncer);
        for answer in [here, there] {
            let refused = answer.blocking_recv().expect("answered").expect_err("not durable");
            assert_eq!(refused.kind(), ErrorKind::Poisoned);
        }
        assert!(poison.get().is_some() && heard.try_recv().is_err());
    }

    #[test]
    fn what_is_handed_over_is_answered_before_the_syncer_goes() {
        let (syncer, mut heard, _) = syncer(tempfile::tempfile().expect("a file"));
        let (batches, answers): (Vec<_>, Vec<_>) = (0..50).map(|_| batch()).unzip();
        batches.into_iter().for_each(|batch| syncer.hand_over(batch));
        drop(syncer);
        assert!(answers.into_iter().all(|answer| answer.blocking_recv().expect("answered").is_ok()));
        assert_eq!(heard.try_recv().expect("heard"), Hint::Ready);
    }
}
