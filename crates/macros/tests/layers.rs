//! The layers that come along, and the recorder.
#![allow(clippy::unwrap_used)]
include!("ui/facade.rs");

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use windlass_core::{NewJob, Payload, RetryPolicy, Timestamp};
use windlass_dispatch::{
    Conclusion, Context, Durable, Error, How, Logging, MessageContext, Recorder, Result, Retrying, Router, Run, Then,
    Timing, Transaction, Transactional, Validate, Validation,
};
use windlass_macros::{Command, Event, Query, dispatcher, handler};

/// A ledger whose entries stand when their transaction is committed.
#[derive(Clone, Default)]
struct Ledger {
    entries: Arc<Mutex<Vec<u64>>>,
    begun: Arc<AtomicU32>,
    /// Fails so many times before it works.
    moods: Arc<AtomicU32>,
}

impl Transactional for Ledger {
    type Transaction = Vec<u64>;

    async fn begin(&self) -> Result<Vec<u64>> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Vec::new())
    }

    async fn commit(&self, entries: Vec<u64>) -> Result<()> {
        self.entries.lock().unwrap().extend(entries);
        Ok(())
    }

    async fn roll_back(&self, _entries: Vec<u64>) {}
}

#[derive(Command, Clone, Serialize, Deserialize)]
struct Book(u64);

impl Validate for Book {
    fn validate(&self) -> Result<()> {
        match self.0 {
            0 => Err(Error::transient("nothing is no amount").code("NO_AMOUNT")),
            _ => Ok(()),
        }
    }
}

/// Belongs to the transaction of what it follows from.
#[derive(Command, Clone)]
struct Fee(u64);

#[derive(Event, Serialize, Deserialize)]
struct Booked(u64);

#[derive(Query)]
#[message(reply = usize)]
struct Length;

#[handler]
async fn book(amount: Book, ledger: &Transaction<Ledger>) -> Result<Then<Then<(), Fee>, Booked>> {
    ledger.current().await?.push(amount.0);
    if ledger.database().moods.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |moods| moods.checked_sub(1)).is_ok()
    {
        return Err(Error::transient("in a bad mood"));
    }
    Ok(Then(Then((), Fee(amount.0 / 10)), Booked(amount.0)))
}

#[handler]
async fn charge(fee: Fee, ledger: &Transaction<Ledger>) -> Result<()> {
    if fee.0 > 100 {
        return Err(Error::permanent("a fee of that size is a mistake"));
    }
    ledger.current().await?.push(fee.0);
    Ok(())
}

#[handler]
async fn length(_: Length, ledger: &Transaction<Ledger>) -> Result<usize> {
    Ok(ledger.current().await?.len())
}

/// Passes over what fails.
#[derive(Command, Clone)]
struct Sloppy(u64);

#[handler]
async fn be_sloppy(amount: Sloppy, bank: &Bank) -> Result<()> {
    drop(bank.send(Fee(amount.0)).await);
    Ok(())
}

/// Submits, and then fails once.
#[derive(Command, Clone, Serialize, Deserialize)]
#[message(reply = windlass_core::MessageId)]
struct Remind;

#[handler]
async fn remind(_: Remind, bank: &Bank, cx: &MessageContext) -> Result<windlass_core::MessageId> {
    bank.durable.submit(Book(1)).await?;
    bank.tries.lock().unwrap().push(cx.id());
    match bank.tries.lock().unwrap().len() {
        1 => Err(Error::transient("not yet")),
        _ => Ok(cx.id()),
    }
}

/// Nobody can be told of it.
#[derive(Event)]
struct Lost;

#[handler]
fn despair(_: &Lost) -> Result<()> {
    Err(Error::permanent("there is no hope").code("LOST"))
}

#[derive(Command)]
struct Lose;

#[handler]
async fn lose(_: Lose) -> Result<Then<(), Lost>> {
    Ok(Then((), Lost))
}

#[handler]
fn mail(_: &Booked) {}

dispatcher! {
    struct Bank {
        logging: Logging,
        timing: Timing,
        validation: Validation,
        retrying: Retrying,
        ledger: Transaction<Ledger>,
        durable: Durable<Bank>,
        recorder: Recorder,
        tries: Mutex<Vec<windlass_core::MessageId>>,
    }
    commands { Lose => lose }
    commands [Retrying] { Remind => remind }
    commands [Logging, Timing, Validation, Retrying, Transaction<Ledger>] { Book => book }
    commands [Transaction<Ledger>] { Fee => charge, Sloppy => be_sloppy }
    queries { Length => length }
    events { Booked => [submit(mail)], Lost => [despair] }
}

fn bank(moods: u32) -> (Bank, Ledger) {
    let ledger = Ledger { moods: Arc::new(AtomicU32::new(moods)), ..Ledger::default() };
    let retrying = Retrying::new(RetryPolicy { base: Duration::from_secs(60), ..RetryPolicy::default() });
    let recorder = Recorder::on();
    let durable = Durable::default();
    durable.connect(Arc::new(recorder.clone()));
    let transaction = Transaction::new(ledger.clone());
    let bank = Bank {
        logging: Logging,
        timing: Timing,
        validation: Validation,
        retrying,
        ledger: transaction,
        durable,
        recorder,
        tries: Mutex::default(),
    };
    (bank, ledger)
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_in_a_transaction_of_its_own() {
    let (bank, ledger) = bank(2);
    bank.send(Book(200)).await.unwrap();
    assert_eq!(*ledger.entries.lock().unwrap(), [200, 20], "once, with what follows");
    assert_eq!(ledger.begun.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failure_takes_everything_back_that_belongs_to_it() {
    let (bank, ledger) = bank(0);
    let error = bank.send(Book(2_000)).await.unwrap_err();
    assert!(error.to_string().contains("mistake"), "{error}");
    assert!(ledger.entries.lock().unwrap().is_empty());
    assert_eq!(ledger.begun.load(Ordering::Relaxed), 1, "a permanent failure is not tried again");
    let (bank, ledger) = self::bank(u32::MAX);
    assert_eq!(bank.send(Book(1)).await.unwrap_err().described().message, "in a bad mood");
    assert_eq!(ledger.begun.load(Ordering::Relaxed), 4, "three more tries");
}

#[tokio::test]
async fn what_is_not_valid_comes_no_further() {
    let (bank, ledger) = bank(0);
    let error = bank.send(Book(0)).await.unwrap_err();
    assert_eq!((&*error.described().code, error.class()), ("NO_AMOUNT", windlass_core::ErrorClass::Permanent));
    assert_eq!(ledger.begun.load(Ordering::Relaxed), 0);
    let error = bank.query(Length).await.unwrap_err();
    assert_eq!(error.described().code, "NO_TRANSACTION", "it has no layer");
}

#[tokio::test]
async fn a_recorder_knows_what_was_sent_published_and_submitted_and_what_it_followed_from() {
    let (bank, _) = bank(0);
    let begun = MessageContext::new().with_tenant("acme");
    begun.clone().scope(bank.send(Book(50))).await.unwrap();
    let recorded = bank.recorder.recorded();
    let names: Vec<_> = recorded.iter().map(|recorded| (recorded.how, recorded.name)).collect();
    assert_eq!(names, [(How::Sent, "Book"), (How::Sent, "Fee"), (How::Published, "Booked")]);
    assert_eq!(bank.recorder.all::<Book>().iter().map(|booked| booked.0).collect::<Vec<_>>(), [50]);
    assert_eq!(recorded[1].envelope.payload, serde_json::Value::Null, "no data");
    for recorded in &recorded {
        assert_eq!(recorded.envelope.correlation(), Some(begun.correlation()), "{}", recorded.name);
        assert_eq!(recorded.envelope.scope().values["t"], "acme");
    }
    let jobs = bank.recorder.submitted();
    assert_eq!(jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["Mail"]);
    assert_eq!(jobs[0].cause.as_ref().unwrap().tenant.as_deref(), Some("acme"));
    assert!(Recorder::off().recorded().is_empty());
}

/// Half of what a failed message had done was committed with the rest.
#[tokio::test]
async fn a_transaction_within_which_something_failed_does_not_stand() {
    let (bank, ledger) = bank(0);
    let error = bank.send(Sloppy(2_000)).await.unwrap_err();
    assert_eq!(error.described().code, "TRANSACTION_BROKEN");
    assert!(ledger.entries.lock().unwrap().is_empty());
    bank.send(Sloppy(20)).await.unwrap();
    assert_eq!(*ledger.entries.lock().unwrap(), [20]);
}

/// Each try emitted its jobs, and all of them appeared with the last; and the second try was a message of another id.
#[tokio::test(start_paused = true)]
async fn tries_of_a_message_are_the_same_message_and_emit_once() {
    let (bank, _) = bank(0);
    let bank = Arc::new(bank);
    let routes = Router::new().application(&bank).build().unwrap();
    let job = NewJob::build("Remind", Payload::json(&()).unwrap()).finish(Timestamp::UNIX_EPOCH).unwrap();
    let run = Run { job: Arc::new(job.clone()), attempt: 1, token: 1, states: routes.states().clone() };
    let context = Context::new(run);
    let done = routes.find("Remind").unwrap().clone().call(context.clone()).await;
    let id = windlass_core::MessageId::from(job.id);
    assert_eq!(done, Conclusion::Done(Payload::json(&id).unwrap()));
    assert_eq!(*bank.tries.lock().unwrap(), [id, id]);
    assert_eq!(context.take_emitted().len(), 1);
    let late = context.emit(NewJob::build("Late", Payload::empty())).unwrap_err();
    assert_eq!(late.described().code, "ATTEMPT_OVER", "nobody would take it any more");
}

/// It came out as a failure that may pass, under no code.
#[tokio::test]
async fn what_listeners_fail_with_keeps_its_class_and_code() {
    let (bank, _) = bank(0);
    let error = bank.send(Lose).await.unwrap_err();
    assert_eq!((&*error.described().code, error.class()), ("LOST", windlass_core::ErrorClass::Permanent));
}
