//! The writer without its thread: one batch at a time, under a full disk, damage and poison.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{broadcast, oneshot};
use windlass_core::{Clock, Incarnation, ManualClock, NewJob, Payload, QueueName, Status};
use windlass_store::{
    Claim, ClaimedJob, Error, ErrorKind, Exchange, Exchanged, Extend, Extension, Fate, Hint, Outcome, Result,
    Settlement,
};

use crate::lock::DirectoryLock;
use crate::options::EmbeddedOptions;
use crate::request::{Call, Request};
use crate::reserve::Reserve;
use crate::writer::Writer;
use crate::{connection, migrate};

struct Bench {
    writer: Writer,
    clock: ManualClock,
    hints: broadcast::Receiver<Hint>,
    directory: TempDir,
}

type Answer = oneshot::Receiver<Result<Exchanged>>;

impl Bench {
    fn new() -> Self {
        let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
        let (sender, hints) = broadcast::channel(16);
        let mut conn = connection::writer(&directory.path().join(connection::FILE)).unwrap();
        migrate::migrate(&mut conn).unwrap();
        let options = EmbeddedOptions::default().clock(Arc::new(clock.clone()));
        let lock = DirectoryLock::acquire(directory.path()).unwrap();
        let writer = Writer::new(conn, &options, sender, Reserve::keep(directory.path()), lock).unwrap();
        Self { writer, clock, hints, directory }
    }

    fn turn(&mut self, turns: Vec<Exchange>) -> Vec<Result<Exchanged>> {
        let (batch, answers): (Vec<Request>, Vec<Answer>) = turns.into_iter().map(request).unzip();
        self.writer.turn(batch, false);
        answers.into_iter().map(|mut answer| answer.try_recv().expect("answered")).collect()
    }

    fn alone(&mut self, turn: Exchange) -> Result<Exchanged> {
        self.turn(vec![turn]).remove(0)
    }

    fn submit(&self, queue: &str, bytes: usize) -> Exchange {
        let new = NewJob::build("Job", Payload::new("x", vec![1; bytes])).queue(queue).finish(self.clock.now());
        Exchange { submit: vec![new.unwrap().into()], ..Exchange::default() }
    }

    fn claimed(&mut self) -> ClaimedJob {
        self.alone(self.submit("default", 1)).unwrap();
        self.alone(claim("default")).unwrap().claimed.jobs.remove(0)
    }

    fn sql(&self, sql: &str) {
        self.writer.conn.execute_batch(sql).unwrap();
    }

    fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.directory.path().join("windlass.db-wal")).unwrap().len()
    }

    fn has_reserve(&self) -> bool {
        Reserve::exists(self.directory.path())
    }
}

fn request(turn: Exchange) -> (Request, Answer) {
    let (call, answer) = Call::new(turn);
    (Request::Exchange(call), answer)
}

fn claim(queue: &str) -> Exchange {
    let (queues, lease) = (vec![QueueName::new(queue).unwrap()], Duration::from_secs(30));
    let claim = Claim { queues, limit: 10, lease, worker: Incarnation::random(), suspects: 1, handlers: None };
    Exchange { claim: Some(claim), ..Exchange::default() }
}

fn complete(job: &ClaimedJob) -> Exchange {
    let outcome = Outcome::Complete(Payload::empty());
    Exchange { settle: vec![Settlement { lease: job.lease, outcome, emitted: Vec::new() }], ..Exchange::default() }
}

fn kind<T: std::fmt::Debug>(answer: Result<T>) -> ErrorKind {
    answer.unwrap_err().kind()
}

/// The disk fills up: new jobs are refused with `Full`, a running job in the same batch is settled, and as soon as
/// there is room new jobs are taken again, by themselves.
#[test]
fn a_full_disk_refuses_new_jobs_settles_running_ones_and_recovers() {
    let mut bench = Bench::new();
    let running = bench.claimed();
    let pages: i64 = bench.writer.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    bench.sql(&format!("PRAGMA max_page_count = {pages}"));

    let big = bench.submit("default", 100_000);
    let mut answers = bench.turn(vec![big.clone(), complete(&running)]);
    assert_eq!(answers.remove(1).unwrap().fates, [Fate::Settled(Status::Completed)]);
    assert_eq!(kind(answers.remove(0)), ErrorKind::Full);
    assert!(!bench.has_reserve(), "the reserve was given to the settlement");
    assert_eq!(kind(bench.alone(big.clone())), ErrorKind::Full);

    bench.sql("PRAGMA max_page_count = 1000000");
    assert_eq!(bench.alone(big).unwrap().submitted.len(), 1);
    assert!(bench.has_reserve());
}

/// A damaged job is the trouble of whoever asks for it; others in the same batch get their commit.
#[test]
fn a_request_that_fails_takes_nobody_with_it() {
    let mut bench = Bench::new();
    bench.alone(bench.submit("damaged", 10)).unwrap();
    bench.sql("UPDATE job SET payload = x'00'");
    let good = bench.submit("good", 10);
    let mut answers = bench.turn(vec![good, claim("damaged")]);
    assert_eq!(kind(answers.remove(1)), ErrorKind::Corrupt);
    assert_eq!(answers.remove(0).unwrap().submitted.len(), 1);
    assert_eq!(bench.alone(claim("good")).unwrap().claimed.jobs.len(), 1);
}

/// After a failed write nobody knows what the disk holds, so nothing is written until the store is opened again.
#[test]
fn a_poisoned_store_refuses_every_write() {
    let mut bench = Bench::new();
    let running = bench.claimed();
    bench.writer.poison_with(&Error::new(ErrorKind::Poisoned, "sync failed"));
    let turns = vec![bench.submit("default", 1), complete(&running)];
    for answer in bench.turn(turns) {
        assert_eq!(kind(answer), ErrorKind::Poisoned);
    }
}

#[test]
fn nothing_is_claimed_for_a_caller_that_has_gone() {
    let mut bench = Bench::new();
    bench.alone(bench.submit("default", 1)).unwrap();
    let (request, answer) = request(claim("default"));
    drop(answer);
    bench.writer.turn(vec![request], false);
    assert_eq!(bench.alone(claim("default")).unwrap().claimed.jobs.len(), 1);
}

#[test]
fn an_idle_poll_and_a_bare_extension_write_nothing() {
    let mut bench = Bench::new();
    let running = bench.claimed();
    let before = bench.log_bytes();
    assert!(bench.alone(claim("default")).unwrap().claimed.jobs.is_empty());
    let extend = vec![Extend { lease: running.lease, duration: Duration::from_secs(60), progress: None }];
    let kept = bench.alone(Exchange { extend, ..Exchange::default() }).unwrap().extended;
    assert_eq!(kept, [Extension::Kept]);
    assert_eq!(bench.log_bytes(), before);
}

/// Several submissions that share a commit wake others once, and one that is claimed in its own turn wakes nobody.
#[test]
fn hints_are_few() {
    let mut bench = Bench::new();
    let turns = vec![bench.submit("default", 1), bench.submit("default", 1)];
    bench.turn(turns);
    assert_eq!(bench.hints.try_recv().unwrap(), Hint::Ready);
    assert!(bench.hints.try_recv().is_err());
    bench.alone(claim("default")).unwrap();
    let at_once = Exchange { submit: bench.submit("default", 1).submit, ..claim("default") };
    assert_eq!(bench.alone(at_once).unwrap().claimed.jobs.len(), 1);
    assert!(bench.hints.try_recv().is_err());
}

/// While more waits the writer goes on; the other thread syncs and answers, also what has only seen such a commit.
#[test]
fn with_more_waiting_another_thread_answers() {
    let mut bench = Bench::new();
    let mut answers = Vec::new();
    for turn in [bench.submit("default", 1), claim("nowhere")] {
        let (request, answer) = request(turn);
        bench.writer.turn(vec![request], true);
        answers.push(answer);
    }
    drop(bench);
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.blocking_recv().unwrap().unwrap()).collect();
    assert_eq!((answers[0].submitted.len(), answers[1].claimed.jobs.len()), (1, 0));
}
