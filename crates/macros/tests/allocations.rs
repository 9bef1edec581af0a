//! A message that is sent in process takes no memory but the stack's.
include!("ui/facade.rs");

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context as Poller, Poll, Waker};

use allocation_counter::measure;
use windlass_dispatch::{Erased, MessageContext, Policies, Policy, Result, Subject};
use windlass_macros::{Command, Event, Query, dispatcher, handler};

struct Step(u64);

#[derive(Command)]
#[message(reply = u64)]
struct Add(u64);

#[derive(Query)]
#[message(reply = u64)]
struct Twice(u64);

#[derive(Event)]
struct Added(u64);

#[handler]
async fn add(number: Add, step: &Step) -> Result<u64> {
    Ok(number.0 + step.0)
}

#[handler]
fn twice(number: Twice) -> u64 {
    2 * number.0
}

macro_rules! listeners {
    ($($listener:ident)*) => { $(
        #[handler]
        async fn $listener(event: &Added) {
            black_box(event.0);
        }
    )* };
}

listeners! { one two three four five six seven eight }

dispatcher! {
    struct Sums { step: Step }
    commands { Add => add }
    queries { Twice => twice }
    events { Added => [one, two, three, four, five, six, seven, eight] }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Poller::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn allocations(mut work: impl FnMut(u64)) -> u64 {
    measure(|| (0..1_000).for_each(&mut work)).count_total
}

#[test]
fn a_million_policy_matches_allocate_nothing() {
    let policies = Policies::new()
        .rule("acme", |subject| subject.tenant() == Some("acme"), Policy::new())
        .rule("large", |subject| subject.message::<Add>().is_some_and(|number| number.0 > 1_000_000), Policy::new())
        .rule("sums", |subject| subject.is::<Add>(), Policy::new().topic("sums"));
    let context = MessageContext::new().with_tenant("other");
    let matches = measure(|| {
        for number in 0..1_000_000 {
            let policy = policies.decide(&Subject::of(&Add(number)).within(Some(&context)));
            assert_eq!(policy.and_then(Policy::topic_name), Some("sums"));
        }
    });
    assert_eq!(matches.count_total, 0);
}

#[test]
fn no_path_through_the_dispatcher_allocates() {
    let sums = Sums { step: Step(1) };
    let sent = allocations(|number| assert_eq!(now(sums.send(Add(number))).ok(), Some(number + 1)));
    let asked = allocations(|number| assert_eq!(now(sums.query(Twice(number))).ok(), Some(2 * number)));
    let called = allocations(|number| assert_eq!(sums.call_now(Twice(number)).ok(), Some(2 * number)));
    let published = allocations(|number| assert!(now(sums.publish(Added(number))).is_ok()));
    assert_eq!([sent, asked, called, published], [0; 4]);
    let mut erased = Erased::new(&sums);
    let mut by_type = |number| {
        let mut command = Some(Add(number));
        let reply = now(erased.dispatch(&mut command)).expect("adds");
        assert_eq!(reply.downcast_mut::<Option<u64>>().and_then(Option::take), Some(number + 1));
        assert!(now(erased.dispatch(&mut Some(Added(number)))).is_ok());
    };
    by_type(0);
    assert_eq!(allocations(by_type), 0, "after the first of each kind");
    assert_eq!(allocations(|number| drop(black_box(Box::new(number)))), 1_000, "they are counted");
}
