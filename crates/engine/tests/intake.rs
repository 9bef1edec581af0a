//! Submitting where there is not always room: owners' rates, full queues, and callers that wait.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{Backlog, Incarnation, JobId, Limits, Owner, QueueName, Rate, Status, Timestamp};
use windlass_dispatch::{Context, Handler, Json, Result};
use windlass_engine::{Engine, Error, Settings, Submit};
use windlass_memory::Memory;
use windlass_store::{Claim, Scope, SubmitOutcome, Verbs};

struct Echo;

impl Handler for Echo {
    type Input = Json<u32>;
    type Output = Json<u32>;
    const NAME: &'static str = "Echo";

    async fn run(&self, Json(number): Json<u32>, _cx: Context) -> Result<Json<u32>> {
        Ok(Json(number))
    }
}

async fn started(configure: impl FnOnce(&mut Settings)) -> (Engine, Arc<Memory>) {
    let store = Arc::new(Memory::new());
    let builder = Engine::builder(store.clone()).handler(Echo).limit("owners", one_in(Duration::from_millis(40)));
    let engine = builder.configure(|settings| settings.work = false).configure(configure).start().await.unwrap();
    (engine, store)
}

fn one_in(period: Duration) -> Limits {
    Limits::rate(Rate::new(1, period).unwrap())
}

/// The job that goes next.
async fn claimed(store: &Memory) -> JobId {
    let (queues, worker) = (vec![QueueName::default()], Incarnation::random());
    let claim = Claim { queues, limit: 1, lease: Duration::from_secs(60), worker, suspects: 0, handlers: None };
    store.claim(claim).await.unwrap().jobs[0].lease.id
}

fn ann() -> Owner {
    Owner::new("ann").unwrap()
}

#[tokio::test]
async fn an_owner_over_its_rate_is_told_when_to_come_back() {
    let (engine, _) = started(|_| ()).await;
    engine.gates().limit("owners", one_in(Duration::from_secs(60))).await.unwrap();
    let _ = Echo.submit(&engine, 1).owner(ann()).await.unwrap();
    let refused = Echo.submit(&engine, 2).owner(ann()).await.unwrap_err();
    assert!(matches!(refused, Error::OverRate { .. }) && refused.is_temporary(), "{refused}");
    assert!((Duration::from_secs(50)..=Duration::from_secs(60)).contains(&refused.retry_after()), "{refused}");
    let _ = Echo.submit(&engine, 3).await.unwrap();
    let jobs = [4, 5].map(|number| {
        let job = engine.build_job("Echo", windlass_core::Payload::json(&number).unwrap());
        job.owner((number == 4).then(ann)).finish(Timestamp::UNIX_EPOCH).unwrap()
    });
    let answers = engine.submit_all(jobs.into()).await.unwrap();
    assert!(matches!(answers[0].outcome, SubmitOutcome::OverRate { .. }), "each has its own answer");
    assert!(matches!(answers[1].outcome, SubmitOutcome::Created(_)));
}

#[tokio::test]
async fn who_has_patience_gets_in_when_the_rate_allows() {
    let (engine, _) = started(|_| ()).await;
    for number in 0..4 {
        let _ = Echo.submit(&engine, number).owner(ann()).patience(Duration::from_secs(20)).await.unwrap();
    }
    engine.gates().limit("owners", one_in(Duration::from_secs(3_600))).await.unwrap();
    engine.gates().hold("owner:ann", Duration::from_secs(3_600)).await.unwrap();
    let patient = Echo.submit(&engine, 9).owner(ann()).patience(Duration::from_secs(20));
    let refused =
        tokio::time::timeout(Duration::from_secs(5), patient.into_future()).await.expect("knows it is in vain");
    assert!(matches!(refused, Err(Error::OverRate { .. })));
}

#[tokio::test]
async fn who_has_patience_gets_in_when_a_full_queue_has_room() {
    let (engine, store) = started(|settings| settings.max_queue_size = 1).await;
    let _ = Echo.submit(&engine, 1).await.unwrap();
    assert!(matches!(Echo.submit(&engine, 2).await, Err(Error::QueueFull { .. })));
    let short = Echo.submit(&engine, 2).patience(Duration::from_millis(30)).await;
    assert!(matches!(short, Err(Error::QueueFull { .. })), "nobody made room");
    let waiting = tokio::spawn(Echo.submit(&engine, 2).patience(Duration::from_secs(20)).into_future());
    claimed(&store).await;
    let id = waiting.await.unwrap().unwrap().id;
    assert!(engine.get(id, &Scope::Everything).await.unwrap().is_some());
}

#[tokio::test]
async fn owners_have_a_rate_and_nothing_else() {
    let (engine, _) = started(|_| ()).await;
    let gates = engine.gates();
    for gate in ["owners", "owner:ann"] {
        assert!(matches!(gates.limit(gate, Limits::running(1)).await, Err(Error::Invalid(_))), "{gate}");
        assert!(matches!(gates.pause(gate, "no").await, Err(Error::Invalid(_))), "{gate}");
    }
    assert!(matches!(gates.hold("owners", Duration::from_secs(1)).await, Err(Error::Invalid(_))));
    let start =
        Engine::builder(Arc::new(Memory::new())).handler(Echo).limit("owners", Limits::running(1)).start().await;
    assert!(start.is_err_and(|error| error.to_string().contains("rate")));
}

#[tokio::test]
async fn a_queue_drops_its_oldest_where_that_is_said() {
    let builder = Engine::builder(Arc::new(Memory::new())).handler(Echo).configure(|settings| settings.work = false);
    let engine = builder.backlog("queue:default", Backlog::most(2).drop_oldest()).start().await.unwrap();
    let first = Echo.submit(&engine, 1).await.unwrap();
    let _ = Echo.submit(&engine, 2).await.unwrap();
    let third = Echo.submit(&engine, 3).await.unwrap();
    assert_eq!(third.outcome, SubmitOutcome::Replaced(first.id));
    let dropped = engine.get(first.id, &Scope::Everything).await.unwrap().unwrap();
    assert_eq!(dropped.status, Status::Canceled);
    engine.gates().backlog("queue:default", Backlog::most(2)).await.unwrap();
    assert!(matches!(Echo.submit(&engine, 4).await, Err(Error::QueueFull { .. })));
    assert!(matches!(engine.gates().backlog("*", Backlog::most(2)).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn an_owner_with_too_many_waiting_is_refused_by_name() {
    let store = Arc::new(Memory::new());
    let builder = Engine::builder(store.clone()).handler(Echo).configure(|settings| settings.work = false);
    let engine = builder.backlog("owners", Backlog::most(1)).start().await.unwrap();
    let _ = Echo.submit(&engine, 1).owner(ann()).await.unwrap();
    let refused = Echo.submit(&engine, 2).owner(ann()).await.unwrap_err();
    assert!(matches!(&refused, Error::OwnerFull { owner } if *owner == ann()) && refused.is_temporary(), "{refused}");
    assert!(refused.to_string().contains("ann") && refused.retry_after() <= Duration::from_secs(5), "{refused}");
    let _ = Echo.submit(&engine, 3).await.unwrap();
    let short = Echo.submit(&engine, 2).owner(ann()).patience(Duration::from_millis(30)).await;
    assert!(matches!(short, Err(Error::OwnerFull { .. })), "nobody made room");
    let waiting = tokio::spawn(Echo.submit(&engine, 2).owner(ann()).patience(Duration::from_secs(20)).into_future());
    claimed(&store).await;
    let second = waiting.await.unwrap().unwrap();
    engine.gates().backlog("owner:ann", Backlog::most(1).drop_oldest()).await.unwrap();
    let third = Echo.submit(&engine, 4).owner(ann()).await.unwrap();
    assert_eq!(third.outcome, SubmitOutcome::Replaced(second.id));
    for gate in ["*", "handler:Echo", "keys:user"] {
        assert!(matches!(engine.gates().backlog(gate, Backlog::most(1)).await, Err(Error::Invalid(_))), "{gate}");
    }
}

#[tokio::test]
async fn jobs_rise_in_priority_while_they_wait() {
    let store = Arc::new(Memory::new());
    let builder = Engine::builder(store.clone()).handler(Echo).configure(|settings| settings.work = false);
    let engine = builder.aging("queue:default", Duration::from_micros(1)).start().await.unwrap();
    let level = |level| windlass_core::Priority::new(level).unwrap();
    let patient = Echo.submit(&engine, 1).priority(level(9)).await.unwrap();
    let urgent = loop {
        let next = Echo.submit(&engine, 2).priority(level(0)).await.unwrap();
        if next.at > patient.at.after(Duration::from_micros(9)) {
            break next;
        }
    };
    let first = loop {
        let next = claimed(&store).await;
        if [patient.id, urgent.id].contains(&next) {
            break next;
        }
    };
    assert_eq!(first, patient.id);
    engine.gates().aging("queue:default", None).await.unwrap();
    let last = Echo.submit(&engine, 3).priority(level(9)).await.unwrap();
    assert_ne!(claimed(&store).await, last.id);
    for span in [Duration::ZERO, Duration::from_secs(1 << 40)] {
        assert!(matches!(engine.gates().aging("queue:default", span).await, Err(Error::Invalid(_))), "{span:?}");
    }
    assert!(matches!(engine.gates().aging("*", Duration::from_secs(1)).await, Err(Error::Invalid(_))));
}
