//! Messages that go on: through the local queue, as jobs, and behind replies.
#![allow(clippy::unwrap_used)]
include!("ui/facade.rs");

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use windlass_core::{NewJob, Payload, StreamId, Timestamp};
use windlass_dispatch::{
    Conclusion, Context, Durable, Local, LocalOptions, MessageContext, Policies, Policy, Recorder, Result, Router, Run,
    SpawnError, Strategy, Subject, Then,
};
use windlass_macros::{Command, Event, dispatcher, handler};

/// What happened, in its order.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> String {
        self.0.lock().unwrap().join(", ")
    }
}

/// Lets handlers go on.
struct Gate(Semaphore);

#[derive(Command, Serialize, Deserialize)]
#[message(reply = u64)]
struct CreateOrder(u64);

#[derive(Command, Serialize, Deserialize)]
struct Bill(u64);

#[derive(Command)]
struct Pack(u64);

/// Takes longer the earlier it comes.
#[derive(Command)]
struct Weigh(u64);

#[derive(Event, Clone, Serialize, Deserialize)]
struct OrderCreated(u64);

#[handler(name = "CreateOrder")]
async fn create_order(
    order: CreateOrder,
    log: &Log,
) -> Result<Then<Then<Then<u64, OrderCreated>, Option<Bill>>, Vec<Pack>>> {
    log.note(format!("created {}", order.0));
    let bill = (order.0 > 10).then_some(Bill(order.0));
    Ok(Then(Then(Then(order.0, OrderCreated(order.0)), bill), vec![Pack(1), Pack(2)]))
}

#[handler(retries = 7)]
fn send_bill(bill: Bill, log: &Log) {
    log.note(format!("billed {}", bill.0));
}

#[handler]
async fn pack(parcel: Pack, log: &Log, gate: &Gate, cx: &MessageContext) -> Result<()> {
    gate.0.acquire().await?.forget();
    log.note(format!("packed {}{}", parcel.0, cx.tenant().unwrap_or("")));
    Ok(())
}

#[handler]
async fn weigh(parcel: Weigh, log: &Log, cx: &MessageContext) {
    for _ in 0..50 - parcel.0 {
        tokio::task::yield_now().await;
    }
    log.note(format!("weighed {} in {}", parcel.0, cx.stream().unwrap()));
}

#[handler]
fn greet(event: &OrderCreated, log: &Log) {
    log.note(format!("greeted {}", event.0));
}

#[handler]
fn count(event: &OrderCreated, log: &Log) {
    log.note(format!("counted {}", event.0));
}

#[handler]
fn mail(event: &OrderCreated, log: &Log) {
    log.note(format!("mailed {}", event.0));
}

dispatcher! {
    struct Orders {
        log: Log,
        gate: Gate,
        local: Local<Orders>,
        durable: Durable<Orders>,
    }
    commands {
        CreateOrder => create_order,
        Bill => submit(send_bill),
        Pack => spawn(pack),
        Weigh => weigh,
    }
    events { OrderCreated => [greet, spawn(count), submit(mail)] }
}

fn orders(options: LocalOptions, open: usize) -> Arc<Orders> {
    let (log, gate) = (Log::default(), Gate(Semaphore::new(open)));
    Arc::new(Orders { log, gate, local: Local::new(options), durable: Durable::default() })
}

fn room(room: usize) -> LocalOptions {
    LocalOptions { room: NonZeroUsize::new(room).unwrap(), ..LocalOptions::default() }
}

fn names(desk: &Recorder) -> Vec<String> {
    desk.submitted().iter().map(|job| job.name.to_string()).collect()
}

#[tokio::test]
async fn what_a_handler_returns_goes_where_it_is_routed_before_the_caller_has_its_reply() {
    let (orders, desk) = (orders(room(8), 8), Arc::new(Recorder::on()));
    Local::start(&orders);
    orders.durable.connect(desk.clone());
    let begun = MessageContext::new().with_tenant("!");
    assert_eq!(begun.clone().scope(orders.send(CreateOrder(17))).await.unwrap(), 17);
    assert_eq!(names(&desk), ["Mail", "SendBill"], "durable before the reply");
    orders.local.idle().await;
    let lines = orders.log.lines();
    assert!(lines.starts_with("created 17, greeted 17"), "{lines}");
    for spawned in ["counted 17", "packed 1!", "packed 2!"] {
        assert!(lines.contains(spawned), "{lines}");
    }
    let billed = desk.submitted()[1].clone();
    assert_eq!((billed.payload, billed.retry.max_retries), (Payload::json(&17).unwrap(), 7));
    let cause = billed.cause.unwrap();
    assert_eq!((cause.correlation, cause.causation), (begun.correlation(), Some(begun.id().into())));
    assert_eq!(orders.send(CreateOrder(3)).await.unwrap(), 3);
    assert_eq!(names(&desk).len(), 3, "no bill");
}

#[tokio::test]
async fn what_cannot_be_sent_on_fails_its_handler() {
    let orders = orders(room(8), 8);
    let error = orders.send(CreateOrder(1)).await.unwrap_err().to_string();
    assert!(error.contains("Count: ") && error.contains("Local::start(&application)"), "{error}");
    assert!(error.contains("Mail: ") && error.contains(".application(&app)"), "{error}");
}

/// A job's messages belong to its attempt: they appear when it completes, once however often it is tried.
#[tokio::test]
async fn within_a_job_what_is_submitted_is_emitted_with_its_completion() {
    let (orders, desk) = (orders(room(8), 8), Arc::new(Recorder::on()));
    let routes = Router::new().application(&orders).build().unwrap();
    routes.start_applications(&(desk.clone() as _));
    let job = NewJob::build("CreateOrder", Payload::json(&17).unwrap()).finish(Timestamp::UNIX_EPOCH).unwrap();
    let mut emitted = Vec::new();
    for attempt in 1..=2 {
        let run = Run { job: Arc::new(job.clone()), attempt, token: 1, states: routes.states().clone() };
        let context = Context::new(run);
        let done = routes.find("CreateOrder").unwrap().clone().call(context.clone()).await;
        assert_eq!(done, Conclusion::Done(Payload::json(&17).unwrap()));
        emitted.push(context.take_emitted().iter().map(|job| (job.id, job.name.to_string())).collect::<Vec<_>>());
    }
    assert_eq!(emitted[0], emitted[1]);
    assert_eq!(emitted[0].iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["Mail", "SendBill"]);
    assert!(names(&desk).is_empty());
    routes.drain_applications().await;
}

#[test]
fn a_handler_that_sends_on_is_a_job_of_its_application_only() {
    let error = Router::new().handler(create_order).state(0_u8).build().err().unwrap().to_string();
    assert!(error.contains(".application(&app)"), "{error}");
}

#[tokio::test]
async fn a_full_queue_waits_or_says_so_and_drops_nothing() {
    let orders = orders(room(2), 0);
    Local::start(&orders);
    let first = orders.local.spawn(Pack(1)).await.unwrap();
    let second = orders.local.try_spawn(None, Pack(2)).unwrap();
    let refused = orders.local.try_spawn(None, Pack(3)).err().unwrap();
    assert!(matches!(refused, SpawnError::Full(Pack(3))), "{refused}");
    let mut third = Box::pin(orders.local.spawn(refused.into_message()));
    assert!(futures_util::poll!(third.as_mut()).is_pending());
    orders.gate.0.add_permits(3);
    third.await.unwrap().await.unwrap();
    first.await.unwrap();
    second.await.unwrap();
    orders.local.idle().await;
    assert_eq!(orders.log.0.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn draining_handles_what_was_taken_and_gives_the_rest_back() {
    let orders = orders(room(2), 0);
    assert!(matches!(orders.local.spawn(Pack(0)).await, Err(SpawnError::NotStarted(Pack(0)))));
    Local::start(&orders);
    for parcel in 1..=2 {
        drop(orders.local.spawn(Pack(parcel)).await.unwrap());
    }
    let mut late = Box::pin(orders.local.spawn(Pack(3)));
    assert!(futures_util::poll!(late.as_mut()).is_pending());
    let mut drained = Box::pin(orders.local.drain());
    assert!(futures_util::poll!(drained.as_mut()).is_pending());
    assert!(matches!(late.await, Err(SpawnError::Drained(Pack(3)))));
    orders.gate.0.add_permits(2);
    drained.await;
    assert_eq!(orders.log.0.lock().unwrap().len(), 2);
    assert!(matches!(orders.local.try_spawn(None, Pack(4)), Err(SpawnError::Drained(Pack(4)))));
    orders.local.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_stream_keep_their_order_and_know_it() {
    let orders = orders(room(100), 0);
    Local::start(&orders);
    let stream = StreamId::keyed(&[b"parcels"]);
    for parcel in 0..50 {
        drop(orders.local.spawn_in(stream, Weigh(parcel)).await.unwrap());
    }
    orders.local.drain().await;
    let expected: Vec<_> = (0..50).map(|parcel| format!("weighed {parcel} in {stream}")).collect();
    assert_eq!(orders.log.lines(), expected.join(", "));
}

#[tokio::test]
async fn inline_everything_has_happened_when_spawn_returns() {
    let orders = orders(LocalOptions { inline: true, ..room(1) }, 9);
    Local::start(&orders);
    orders.durable.connect(Arc::new(Recorder::on()));
    let spawned = orders.local.spawn(CreateOrder(1)).await.unwrap();
    assert_eq!(orders.log.lines(), "created 1, greeted 1, counted 1, packed 1, packed 2");
    assert_eq!(spawned.await.unwrap(), 1);
    orders.local.drain().await;
    assert!(matches!(orders.local.spawn(CreateOrder(1)).await, Err(SpawnError::Drained(_))));
}

/// Messages that held all the room of the queue waited for room for what they spawned, for ever; and what they spawned while
/// the queue was drained was refused.
#[tokio::test]
async fn what_a_message_of_the_queue_spawns_needs_no_room_and_is_handled_while_it_is_drained() {
    let orders = orders(room(1), 9);
    Local::start(&orders);
    orders.durable.connect(Arc::new(Recorder::on()));
    let spawned = orders.local.spawn(CreateOrder(1)).await.unwrap();
    orders.local.drain().await;
    assert_eq!(spawned.await.unwrap(), 1);
    assert_eq!(orders.log.0.lock().unwrap().len(), 5, "{}", orders.log.lines());
}

#[tokio::test]
async fn a_queue_that_was_drained_can_be_started_again() {
    let orders = orders(room(1), 9);
    for parcel in 0..2 {
        Local::start(&orders);
        orders.local.spawn(Pack(parcel)).await.unwrap().await.unwrap();
        orders.local.drain().await;
    }
    assert_eq!(orders.log.lines(), "packed 0, packed 1");
}

fn policies() -> Arc<Policies> {
    let one = NonZeroUsize::new(1).unwrap();
    let all = |_: &Subject<'_>| Some(StreamId::keyed(&[b"parcels"]));
    let parcels = Policy::new().stream(all).strategy(Strategy::Serial);
    Arc::new(
        Policies::new()
            .rule(
                "first parcel",
                |subject| subject.message::<Pack>().is_some_and(|parcel| parcel.0 == 1),
                Policy::new().concurrency(one),
            )
            .rule("parcels", |subject| subject.is::<Pack>(), parcels)
            .rule("bills", |subject| subject.is::<Bill>(), Policy::new().topic("bills").bytes_max(3)),
    )
}

#[tokio::test]
async fn policies_decide_streams_how_many_run_queues_and_sizes() {
    let (log, gate) = (Log::default(), Gate(Semaphore::new(0)));
    let (local, durable) = (Local::new(room(100)).under(policies()), Durable::default().under(policies()));
    let orders = Arc::new(Orders { log, gate, local, durable });
    Local::start(&orders);
    drop(orders.local.spawn(Pack(1)).await.unwrap());
    let full = orders.local.try_spawn(None, Pack(1)).err().unwrap();
    assert!(matches!(full, SpawnError::Full(Pack(1))), "one of them at once: {full}");
    let mut second = Box::pin(orders.local.spawn(Pack(1)));
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    let mut never = Box::pin(orders.local.spawn(Pack(1)));
    assert!(futures_util::poll!(never.as_mut()).is_pending());
    orders.gate.0.add_permits(2);
    drop(second.await.unwrap());
    orders.local.idle().await;
    for parcel in 2..30 {
        drop(orders.local.spawn(Pack(parcel)).await.unwrap());
    }
    drop(never);
    orders.gate.0.add_permits(28);
    orders.local.drain().await;
    let expected: Vec<_> = [1, 1].into_iter().chain(2..30).map(|parcel| format!("packed {parcel}")).collect();
    assert_eq!(orders.log.lines(), expected.join(", "), "one stream, in order");
    assert!(matches!(orders.local.spawn(Pack(1)).await, Err(SpawnError::Drained(Pack(1)))));

    let desk = Arc::new(Recorder::on());
    orders.durable.connect(desk.clone());
    orders.durable.submit(Bill(100)).await.unwrap();
    assert_eq!(desk.submitted()[0].queue.as_str(), "bills");
    assert_eq!(orders.durable.submit_all((1..=3).map(Bill)).await.unwrap().len(), 3);
    assert_eq!(desk.submitted()[3].payload, Payload::json(&3).unwrap());
    let error = orders.durable.submit(Bill(1_000)).await.unwrap_err();
    assert_eq!(error.described().code, "MESSAGE_TOO_LARGE");
}

#[derive(Command)]
struct Panic;

#[handler]
async fn panic(_: Panic) {
    panic!("on purpose");
}

dispatcher! {
    struct Fragile { local: Local<Fragile> }
    commands { Panic => panic }
}

#[tokio::test]
async fn a_panic_is_the_reply_and_the_queue_goes_on() {
    let fragile = Arc::new(Fragile { local: Local::new(room(1)) });
    Local::start(&fragile);
    for _ in 0..40 {
        let error = fragile.local.spawn(Panic).await.unwrap().await.unwrap_err();
        assert_eq!((&*error.described().code, &*error.described().message), ("PANIC", "on purpose"));
    }
    fragile.local.drain().await;
}

/// A message that has got its room while another thread drains the queue was not counted yet, so that it could be taken and
/// then find the queue closed.
#[test]
fn a_message_is_handled_or_given_back_however_late_the_queue_is_drained() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    for _ in 0..400 {
        let orders = orders(room(2), 10_000_000);
        let ends = async {
            Local::start(&orders);
            let spawning = tokio::spawn({
                let orders = orders.clone();
                async move {
                    let mut taken = 0;
                    while let Ok(spawned) = orders.local.spawn(Pack(taken)).await {
                        spawned.await.unwrap();
                        taken += 1;
                    }
                    taken
                }
            });
            orders.local.drain().await;
            let taken = spawning.await.unwrap();
            assert_eq!(orders.log.0.lock().unwrap().len() as u64, taken);
        };
        let patience = std::time::Duration::from_secs(30);
        runtime.block_on(async { tokio::time::timeout(patience, ends).await.expect("no message is lost on its way") });
    }
}

/// The queue does not keep its application alive, and messages that were taken do.
#[tokio::test]
async fn an_application_that_is_dropped_takes_its_queue_along() {
    let orders = orders(room(2), 0);
    Local::start(&orders);
    let spawned = orders.local.spawn(Pack(1)).await.unwrap();
    orders.gate.0.add_permits(1);
    let weak = Arc::downgrade(&orders);
    drop(orders);
    spawned.await.unwrap();
    while weak.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}
