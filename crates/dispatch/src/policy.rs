//! Policies: ordered rules that decide how a message goes, the first that fits.

use std::any::Any;
use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use windlass_core::time::rfc3339;
use windlass_core::{Clock, StreamId, SystemClock, Timestamp};

use crate::message::Message;
use crate::message_context::MessageContext;

/// What a rule is asked about. It stands on the stack of who asks.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The message's name.
    pub name: &'static str,
    /// The version of its shape.
    pub version: u16,
    /// What is known of it beside its content.
    pub context: Option<&'a MessageContext>,
    message: &'a (dyn Any + Send + Sync),
}

impl<'a> Subject<'a> {
    /// A message, without a context.
    pub fn of<M: Message>(message: &'a M) -> Self {
        Self { name: M::NAME, version: M::VERSION, context: None, message }
    }

    /// The same with what is known of the message beside its content.
    pub fn within(self, context: Option<&'a MessageContext>) -> Self {
        Self { context, ..self }
    }

    /// Whether it is a message of this type.
    pub fn is<M: Message>(&self) -> bool {
        self.message.is::<M>()
    }

    /// The message, if it is of this type.
    pub fn message<M: Message>(&self) -> Option<&'a M> {
        self.message.downcast_ref()
    }

    /// For which tenant it is.
    pub fn tenant(&self) -> Option<&'a str> {
        self.context.and_then(MessageContext::tenant)
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// How messages of one policy are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Many at once.
    #[default]
    Parallel,
    /// One after the other in each stream; those without a stream as if it were parallel.
    Serial,
}

type StreamOf = Arc<dyn Fn(&Subject<'_>) -> Option<StreamId> + Send + Sync>;

/// How a message goes. What says nothing leaves it as it would be.
#[derive(Clone, Default)]
pub struct Policy {
    topic: Option<Arc<str>>,
    stream: Option<StreamOf>,
    partitions: Option<NonZeroU32>,
    concurrency: Option<(NonZeroUsize, Arc<Semaphore>)>,
    bytes_max: Option<usize>,
    strategy: Strategy,
}

impl Policy {
    /// A policy that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where it is published; for a message that is submitted, its queue.
    pub fn topic(mut self, topic: impl Into<Arc<str>>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Which stream a message belongs to.
    pub fn stream(mut self, of: impl Fn(&Subject<'_>) -> Option<StreamId> + Send + Sync + 'static) -> Self {
        self.stream = Some(Arc::new(of));
        self
    }

    /// Into how many partitions streams are divided.
    pub fn partitions(mut self, partitions: NonZeroU32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// How many of its messages a local queue takes before it is full for them.
    pub fn concurrency(mut self, concurrency: NonZeroUsize) -> Self {
        let places = concurrency.get().min(Semaphore::MAX_PERMITS);
        self.concurrency = Some((concurrency, Arc::new(Semaphore::new(places))));
        self
    }

    /// How many bytes a message may have that is submitted.
    pub fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = Some(bytes);
        self
    }

    /// How its messages are run.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Where it is published.
    pub fn topic_name(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    /// The stream of a message.
    pub fn stream_of(&self, subject: &Subject<'_>) -> Option<StreamId> {
        self.stream.as_ref().and_then(|of| of(subject))
    }

    /// The partition of a stream, from 0. The same in every process and version: FNV-1a over the id's bytes.
    pub fn partition_of(&self, stream: StreamId) -> Option<u32> {
        let hash = stream
            .as_uuid()
            .into_bytes()
            .into_iter()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        self.partitions.map(|partitions| hash % partitions)
    }

    /// How many bytes a message may have that is submitted.
    pub fn bytes_limit(&self) -> Option<usize> {
        self.bytes_max
    }

    /// How its messages are run.
    pub fn runs(&self) -> Strategy {
        self.strategy
    }

    pub(crate) fn places(&self) -> Option<&Arc<Semaphore>> {
        self.concurrency.as_ref().map(|(_, places)| places)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.strategy)?;
        if let Some(topic) = &self.topic {
            write!(f, ", topic {topic:?}")?;
        }
        if let Some(partitions) = self.partitions {
            write!(f, ", {partitions} partitions")?;
        }
        if let Some((concurrency, _)) = &self.concurrency {
            write!(f, ", {concurrency} at once")?;
        }
        if let Some(bytes) = self.bytes_max {
            write!(f, ", {bytes} bytes")?;
        }
        Ok(())
    }
}

type Fits = Box<dyn Fn(&Subject<'_>) -> bool + Send + Sync>;

struct Rule {
    name: &'static str,
    fits: Fits,
    policy: Policy,
}

/// Ordered rules. The first that fits decides.
#[derive(Default)]
pub struct Policies {
    rules: Vec<Rule>,
}

impl Policies {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule behind those that are there. One that panics does not fit, and the next is asked.
    pub fn rule(
        mut self,
        name: &'static str,
        fits: impl Fn(&Subject<'_>) -> bool + Send + Sync + 'static,
        policy: Policy,
    ) -> Self {
        self.rules.push(Rule { name, fits: Box::new(fits), policy });
        self
    }

    /// The policy for a message. Allocates nothing.
    pub fn decide(&self, subject: &Subject<'_>) -> Option<&Policy> {
        self.rules.iter().find(|rule| rule.fits(subject) == Ok(true)).map(|rule| &rule.policy)
    }

    /// The same with all that led to it: each rule that was asked, in their order.
    pub fn explain(&self, subject: &Subject<'_>) -> (Option<&Policy>, Vec<Decision>) {
        let mut trail = Vec::new();
        for rule in &self.rules {
            let fits = rule.fits(subject);
            trail.push(rule.decision(subject, fits));
            if fits == Ok(true) {
                return (Some(&rule.policy), trail);
            }
        }
        (None, trail)
    }
}

impl Rule {
    fn fits(&self, subject: &Subject<'_>) -> Result<bool, Panicked> {
        catch_unwind(AssertUnwindSafe(|| (self.fits)(subject))).map_err(|_| Panicked)
    }

    fn decision(&self, subject: &Subject<'_>, fits: Result<bool, Panicked>) -> Decision {
        let matched = fits == Ok(true);
        Decision {
            policy: self.name.to_owned(),
            rule: format!("{subject:?}"),
            matched,
            config: matched.then(|| format!("{:?}", self.policy)),
            reason: match fits {
                Ok(true) => "it fits",
                Ok(false) => "it does not fit",
                Err(Panicked) => "its rule panicked",
            }
            .to_owned(),
            at: SystemClock.now(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Panicked;

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.rules.iter().map(|rule| (rule.name, &rule.policy))).finish()
    }
}

/// What one rule said of a message. In JSON as compact as Whizbang has it in a hop's trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The rule's name.
    #[serde(rename = "pn")]
    pub policy: String,
    /// What it was asked about.
    #[serde(rename = "r")]
    pub rule: String,
    /// Whether it fits.
    #[serde(rename = "m")]
    pub matched: bool,
    /// What it decided.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Why.
    #[serde(rename = "rs")]
    pub reason: String,
    /// When.
    #[serde(rename = "ts", with = "rfc3339")]
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Order(u64);

    impl Message for Order {
        const NAME: &'static str = "Order";
        const VERSION: u16 = 2;
    }

    struct Other;

    impl Message for Other {
        const NAME: &'static str = "Other";
        const VERSION: u16 = 1;
    }

    fn policies() -> Policies {
        let big = |subject: &Subject<'_>| subject.message::<Order>().is_some_and(|order| order.0 > 100);
        let by_order = |subject: &Subject<'_>| {
            subject.message::<Order>().map(|order| StreamId::keyed(&[b"orders", &order.0.to_be_bytes()]))
        };
        let ten = NonZeroU32::new(10).expect("not zero");
        Policies::new()
            .rule("broken", |subject| subject.name == "Order" && panic!("on purpose"), Policy::new())
            .rule("big", big, Policy::new().topic("big-orders").bytes_max(7_000))
            .rule(
                "orders",
                |subject| subject.is::<Order>(),
                Policy::new().stream(by_order).partitions(ten).strategy(Strategy::Serial),
            )
            .rule("acme", |subject| subject.tenant() == Some("acme"), Policy::new().topic("acme"))
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_one_that_panics_does_not_fit() {
        let policies = policies();
        let topic =
            |subject: &Subject<'_>| policies.decide(subject).map(|policy| policy.topic_name().map(str::to_owned));
        assert_eq!(topic(&Subject::of(&Order(101))), Some(Some("big-orders".to_owned())));
        assert_eq!(topic(&Subject::of(&Order(100))), Some(None));
        assert_eq!(topic(&Subject::of(&Other)), None);
        let context = MessageContext::new().with_tenant("acme");
        let of_acme = Subject::of(&Other).within(Some(&context));
        assert_eq!(topic(&of_acme), Some(Some("acme".to_owned())));
    }

    #[test]
    fn a_message_of_a_stream_has_a_partition_that_never_changes() {
        let policies = policies();
        let order = Order(7);
        let subject = Subject::of(&order);
        let policy = policies.decide(&subject).expect("orders");
        let stream = policy.stream_of(&subject).expect("an order's");
        assert_eq!((policy.partition_of(stream), policy.runs()), (Some(5), Strategy::Serial));
        assert_eq!(Policy::new().partition_of(stream), None);
    }

    #[test]
    fn the_trail_tells_what_each_rule_said() {
        let (policies, order) = (policies(), Order(100));
        let (policy, trail) = policies.explain(&Subject::of(&order));
        let said: Vec<_> =
            trail.iter().map(|said| (said.policy.as_str(), said.matched, said.reason.as_str())).collect();
        assert_eq!(
            said,
            [("broken", false, "its rule panicked"), ("big", false, "it does not fit"), ("orders", true, "it fits")]
        );
        assert_eq!(trail[2].config.as_deref(), Some(format!("{:?}", policy.expect("one fits")).as_str()));
        let decision = Decision { at: Timestamp::UNIX_EPOCH, ..trail[2].clone() };
        let written = serde_json::to_value(&decision).expect("data");
        assert_eq!(
            written,
            serde_json::json!({
                "pn": "orders", "r": "Order 2", "m": true, "c": "Serial, 10 partitions", "rs": "it fits",
                "ts": "1970-01-01T00:00:00Z",
            })
        );
        assert_eq!(serde_json::from_value::<Decision>(written).expect("reads"), decision);
    }
}
