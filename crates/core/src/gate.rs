//! Gates: what a job passes before it is accepted and before an attempt of it starts, and the rules that hold there: closed, so
//! many at a time, so many in a period. The rules are kept in the store, so they hold for all processes together.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::job::NewJob;
use crate::key::{Key, check_kind};
use crate::limits::{DELAY_MAX, InvalidInput, NOTE_BYTES_MAX, clip};
use crate::name::{JobName, Owner, QueueName};
use crate::time::Timestamp;

/// Where a rule holds. As text: `*`, `queue:mail`, `handler:Send`, `key:tenant:acme`, `keys:tenant`; for submissions, `owner:acme`
/// and `owners`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gate {
    /// All jobs pass here.
    Everything,
    /// The jobs of a queue.
    Queue(QueueName),
    /// The jobs of a handler, whatever their queue.
    Handler(JobName),
    /// The jobs that have a key.
    Key(Key),
    /// Each key of a kind by itself. What a rule at the [`Key`](Self::Key) says goes before.
    Keys(Arc<str>),
    /// The jobs that an owner submits pass here when they are submitted, and those only: what a handler emits and what a schedule
    /// submits does not.
    Owner(Owner),
    /// Each owner by itself. What a rule at the [`Owner`](Self::Owner) says goes before.
    Owners,
    /// Where the jobs of a key wait for their turn in a queue that is [shared](Share::by). Stores use it; it holds no rules.
    Turn(Key),
}

impl Gate {
    /// What texts of gates look like.
    const FORMS: &str = "must be *, queue:…, handler:…, key:…:…, keys:…, owner:… or owners";

    /// The gate of a queue. Errors as [`QueueName::new`] does.
    pub fn queue(name: impl AsRef<str>) -> Result<Self, InvalidInput> {
        QueueName::new(name).map(Self::Queue)
    }

    /// The gate of a handler. Errors as [`JobName::new`] does.
    pub fn handler(name: impl AsRef<str>) -> Result<Self, InvalidInput> {
        JobName::new(name).map(Self::Handler)
    }

    /// The gate of a key. Errors as [`Key::new`] does.
    pub fn key(kind: impl AsRef<str>, value: impl fmt::Display) -> Result<Self, InvalidInput> {
        Key::new(kind, value).map(Self::Key)
    }

    /// The gates of all keys of a kind, with one rule for each. Errors as [`Key::new`] does.
    pub fn keys(kind: impl AsRef<str>) -> Result<Self, InvalidInput> {
        check_kind(kind.as_ref()).map(|kind| Self::Keys(kind.into()))
    }

    /// The gate of an owner. Errors as [`Owner::new`] does.
    pub fn owner(name: impl AsRef<str>) -> Result<Self, InvalidInput> {
        Owner::new(name).map(Self::Owner)
    }

    /// Whether what is said here holds at another gate: at this one, at a key of its kind, or at an owner.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Keys(kind), Self::Key(key)) => key.is_of(kind),
            (Self::Owners, Self::Owner(_)) => true,
            (this, other) => this == other,
        }
    }

    /// Whether a job passes here before it starts.
    pub fn is_passed_by(&self, new: &NewJob) -> bool {
        match self {
            Self::Everything => true,
            Self::Queue(queue) => new.queue == *queue,
            Self::Handler(name) => new.name == *name,
            Self::Key(key) => new.keys().contains(key),
            Self::Keys(kind) => new.keys().iter().any(|key| key.is_of(kind)),
            Self::Owner(_) | Self::Owners | Self::Turn(_) => false,
        }
    }

    /// The gate, if rules can be set here.
    ///
    /// # Errors
    ///
    /// At a [`Turn`](Self::Turn).
    pub fn with_rules(self) -> Result<Self, InvalidInput> {
        match self {
            Self::Turn(_) => Err(InvalidInput::new("gate", Self::FORMS)),
            gate => Ok(gate),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::Queue(name) => write!(f, "queue:{name}"),
            Self::Handler(name) => write!(f, "handler:{name}"),
            Self::Key(key) => write!(f, "key:{key}"),
            Self::Keys(kind) => write!(f, "keys:{kind}"),
            Self::Owner(name) => write!(f, "owner:{name}"),
            Self::Owners => f.write_str("owners"),
            Self::Turn(key) => write!(f, "turn:{key}"),
        }
    }
}

impl FromStr for Gate {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        match text.split_once(':') {
            None if text == "*" => Ok(Self::Everything),
            None if text == "owners" => Ok(Self::Owners),
            Some(("queue", name)) => Self::queue(name),
            Some(("handler", name)) => Self::handler(name),
            Some(("key", key)) => key.parse().map(Self::Key),
            Some(("keys", kind)) => Self::keys(kind),
            Some(("owner", name)) => Self::owner(name),
            Some(("turn", key)) => key.parse().map(Self::Turn),
            _ => Err(InvalidInput::new("gate", Self::FORMS)),
        }
    }
}

/// So many starts in a period, after a burst: a token bucket in the form of the generic cell rate algorithm (ITU-T I.371).
/// Starts are spread over the period: 600 a minute with a burst of 1 is one each 100 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    count: u32,
    period: Duration,
    burst: u32,
}

/// Looks are this far apart at most, while a bucket fills.
const PATIENCE: Duration = Duration::from_millis(4);

impl Rate {
    /// So many in a period, the whole number of which may start at once after a pause. Counted in whole microseconds between
    /// two starts, rounded up, which at 10 000 a second and more is some percent slower than asked for.
    ///
    /// # Errors
    ///
    /// When the count is zero, or the period shorter than a microsecond for each or longer than ten years.
    pub fn new(count: u32, period: Duration) -> Result<Self, InvalidInput> {
        let invalid = |why| Err(InvalidInput::new("rate", why));
        if count == 0 {
            return invalid("must allow at least one; a gate is closed by pausing it");
        }
        if period > DELAY_MAX || period.as_micros() < u128::from(count) {
            return invalid("must have a period of one microsecond for each and ten years at most");
        }
        Ok(Self { count, period, burst: count })
    }

    /// So many a second.
    ///
    /// # Errors
    ///
    /// When it is zero or over a million.
    pub fn per_second(count: u32) -> Result<Self, InvalidInput> {
        Self::new(count, Duration::from_secs(1))
    }

    /// How many may start at once after a pause. Default as many as in a period.
    ///
    /// # Errors
    ///
    /// When it is zero, or more than the rate allows in ten years.
    pub fn burst(self, burst: u32) -> Result<Self, InvalidInput> {
        match burst {
            0 => Err(InvalidInput::new("burst", "must be at least one")),
            burst if self.interval_micros().saturating_mul(i64::from(burst)) > DELAY_MAX.as_micros() as i64 => {
                Err(InvalidInput::new("burst", "must be no more than what the rate allows in ten years"))
            }
            burst => Ok(Self { burst, ..self }),
        }
    }

    /// Microseconds between two starts.
    pub fn interval_micros(&self) -> i64 {
        let micros = self.period.as_micros().div_ceil(u128::from(self.count.max(1)));
        i64::try_from(micros).unwrap_or(i64::MAX).max(1)
    }

    /// How far the bucket may be ahead of time, in microseconds.
    pub fn tolerance_micros(&self) -> i64 {
        self.interval_micros().saturating_mul(i64::from(self.burst.max(1)) - 1)
    }

    /// For how long nobody needs to come back after a bucket has one again: until a quarter of the burst has gathered, and
    /// not for long.
    pub fn patience(&self) -> Duration {
        let quarter = self.interval_micros().saturating_mul(i64::from(self.burst / 4).max(1) - 1);
        Duration::from_micros(quarter.unsigned_abs()).min(PATIENCE)
    }
}

/// How many starts a bucket has seen, as the moment at which it would be full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket(pub Timestamp);

impl Bucket {
    /// How many may start at `now`.
    pub fn room(self, rate: &Rate, now: Timestamp) -> u64 {
        let from = self.0.max(now).as_micros();
        let left = now.as_micros().saturating_add(rate.tolerance_micros()).saturating_sub(from);
        if left < 0 { 0 } else { (left / rate.interval_micros()) as u64 + 1 }
    }

    /// The bucket after one more has started at `now`.
    pub fn less_one(self, rate: &Rate, now: Timestamp) -> Self {
        let micros = self.0.max(now).as_micros().saturating_add(rate.interval_micros());
        Self(Timestamp::from_micros(micros))
    }

    /// The bucket with nothing left until a moment, if it had something until then.
    pub fn held(self, rate: &Rate, until: Timestamp) -> Self {
        let micros = until.as_micros().saturating_add(rate.tolerance_micros());
        Self(self.0.max(Timestamp::from_micros(micros)))
    }

    /// When an empty bucket has one again.
    pub fn opens(self, rate: &Rate) -> Timestamp {
        Timestamp::from_micros(self.0.as_micros().saturating_sub(rate.tolerance_micros()))
    }
}

/// What holds at a gate, each part by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Rule {
    /// No attempt starts; the note says why.
    pub paused: Option<String>,
    /// How many may run or start.
    pub limits: Limits,
    /// How the jobs of a queue take turns, or how much a key gets of one.
    #[serde(default)]
    pub share: Share,
    /// How many jobs may wait in a queue, or of an owner.
    #[serde(default)]
    pub backlog: Backlog,
    /// In how long a job that waits in a queue rises by one level of priority.
    #[serde(default)]
    pub aging: Option<Duration>,
}

/// The last parts are not there at all where nothing is said, as in records from before there were any: records have no names of
/// fields, so that only last ones may be missing.
impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let with_aging = self.aging.is_some();
        let with_backlog = with_aging || !self.backlog.is_none();
        let with_share = with_backlog || !self.share.is_none();
        let fields = 2 + usize::from(with_share) + usize::from(with_backlog) + usize::from(with_aging);
        let mut rule = serializer.serialize_struct("Rule", fields)?;
        rule.serialize_field("paused", &self.paused)?;
        rule.serialize_field("limits", &self.limits)?;
        if with_share {
            rule.serialize_field("share", &self.share)?;
        }
        if with_backlog {
            rule.serialize_field("backlog", &self.backlog)?;
        }
        if with_aging {
            rule.serialize_field("aging", &self.aging)?;
        }
        rule.end()
    }
}

/// How many jobs may wait in a queue, or of an owner in all queues together, and what becomes of one that is submitted when so many
/// do. The default is any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "it does nothing until it is set at a gate"]
pub struct Backlog {
    /// How many may wait.
    pub most: Option<u64>,
    /// One that waits makes room, where otherwise the new one is refused.
    pub drops: bool,
}

impl Backlog {
    /// So many at most, for their turn or for their time; what is submitted besides is refused. Zero is allowed and refuses all.
    pub fn most(waiting: u64) -> Self {
        Self { most: Some(waiting), drops: false }
    }

    /// In place of refusing the new job, one that waits is canceled. In a queue that is the oldest of the least urgent that are ready, or
    /// one that waits at a gate or for its time where none is ready; of an owner's jobs it is the oldest of the least urgent, ready or
    /// not.
    pub fn drop_oldest(self) -> Self {
        Self { drops: true, ..self }
    }

    /// Whether any number may wait.
    pub fn is_none(&self) -> bool {
        self.most.is_none()
    }

    /// Whether there is room for one more where so many wait, and so many of them leave for it. Where one makes room for another,
    /// whoever leaves is the one that does, however many wait.
    pub fn has_room(&self, waiting: u64, leaving: u64) -> bool {
        (self.drops && leaving > 0) || self.most.is_none_or(|most| waiting < most.saturating_add(leaving))
    }
}

/// How a queue is shared among the keys of its jobs. The default is not at all: first come, first served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "it does nothing until it is set at a gate"]
pub struct Share {
    /// At the gate of a queue: the kind of key whose jobs take turns.
    pub by: Option<String>,
    /// At the gate of a key or a kind of keys: how much it gets beside the others.
    pub weight: Option<u32>,
}

impl Share {
    /// The most that one key may get beside another.
    pub const WEIGHT_MAX: u32 = 1_000;

    /// The jobs of each key of a kind take turns with those of the others.
    ///
    /// # Errors
    ///
    /// As [`Key::new`] for the kind.
    pub fn by(kind: impl AsRef<str>) -> Result<Self, InvalidInput> {
        let kind = check_kind(kind.as_ref())?;
        Ok(Self { by: Some(kind.to_owned()), weight: None })
    }

    /// So many turns where another key has one. Default 1.
    ///
    /// # Errors
    ///
    /// When it is zero or over [`WEIGHT_MAX`](Self::WEIGHT_MAX).
    pub fn weight(weight: u32) -> Result<Self, InvalidInput> {
        match weight {
            1..=Self::WEIGHT_MAX => Ok(Self { by: None, weight: Some(weight) }),
            _ => Err(InvalidInput::new("weight", "must be 1 to 1000; a key gets nothing by pausing it")),
        }
    }

    /// Whether nothing is said.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether what it says has a meaning at a gate.
    ///
    /// # Errors
    ///
    /// When a kind is named elsewhere than at a queue, or a weight elsewhere than at keys.
    pub fn check(&self, gate: &Gate) -> Result<(), InvalidInput> {
        match gate {
            _ if self.is_none() => Ok(()),
            Gate::Queue(_) if self.weight.is_none() => Ok(()),
            Gate::Key(_) | Gate::Keys(_) if self.by.is_none() => Ok(()),
            Gate::Key(_) | Gate::Keys(_) => {
                Err(InvalidInput::new("share", "by a kind of key is set at the gate of a queue"))
            }
            _ if self.weight.is_some() => {
                Err(InvalidInput::new("share", "has its weight at the gate of a key or of a kind of keys"))
            }
            _ => Err(InvalidInput::new("share", "by a kind of key is set at the gate of a queue")),
        }
    }
}

/// How many jobs may pass a gate. The default is any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "it does nothing until it is set at a gate"]
pub struct Limits {
    /// How many run at a time.
    pub running: Option<u32>,
    /// A job keeps its place among those that run until it has finished for good: while it waits for its next attempt nobody
    /// overtakes it.
    pub in_order: bool,
    /// How many start in a period.
    pub rate: Option<Rate>,
}

impl Limits {
    /// At most so many at a time. Zero is allowed and lets nobody pass.
    pub fn running(at_a_time: u32) -> Self {
        Self { running: Some(at_a_time), ..Self::default() }
    }

    /// At most so many starts in a period.
    pub fn rate(rate: Rate) -> Self {
        Self { rate: Some(rate), ..Self::default() }
    }

    /// One at a time, in the order of priority and submission. A job that fails is tried again before the next one starts;
    /// when it has failed for good, the next one does.
    pub fn in_order() -> Self {
        Self { running: Some(1), in_order: true, rate: None }
    }

    /// And at most so many starts in a period.
    pub fn with_rate(self, rate: Rate) -> Self {
        Self { rate: Some(rate), ..self }
    }

    /// Whether any number may pass.
    pub fn is_none(&self) -> bool {
        self.running.is_none() && self.rate.is_none()
    }
}

/// What changes about the rule at a gate.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// No attempt starts from now on, with a note for other operators. Those that run are left alone.
    Pause(String),
    /// Attempts start again.
    Resume,
    /// Other limits; the default for none.
    Limit(Limits),
    /// Another rate in place of the one that is expected, and nothing where that is not the one: a program may set a rate and
    /// take it back, whatever operators do in between.
    Rate {
        /// What is set now.
        expected: Option<Rate>,
        /// What is set then.
        rate: Option<Rate>,
    },
    /// Another way to share; the default for none. What waits already waits as it did.
    Share(Share),
    /// Another number that may wait; the default for any. What waits already stays.
    Backlog(Backlog),
    /// Another time in which a job rises by one level of priority; `None` for never.
    Aging(Option<Duration>),
    /// No attempt starts for so long, where a rate is set: whoever stands behind said when to come back.
    Hold(Duration),
}

impl Edit {
    /// Whether this has a meaning at a gate.
    ///
    /// # Errors
    ///
    /// When it says by what a queue is shared or how its jobs age elsewhere than at a queue, how many may wait elsewhere than at a queue
    /// or at owners, what a key gets elsewhere than at keys, anything but how many may be submitted in a period and may wait at owners,
    /// or for how long a kind of gates is held.
    pub fn check(&self, gate: &Gate) -> Result<(), InvalidInput> {
        let of_owners = matches!(gate, Gate::Owner(_) | Gate::Owners);
        match self {
            Self::Share(share) => share.check(gate),
            Self::Backlog(backlog) if !backlog.is_none() && !of_owners && !matches!(gate, Gate::Queue(_)) => {
                Err(InvalidInput::new("backlog", "is set at the gate of a queue or of owners"))
            }
            Self::Aging(Some(_)) if !matches!(gate, Gate::Queue(_)) => {
                Err(InvalidInput::new("aging", "is set at the gate of a queue"))
            }
            Self::Aging(Some(span)) if span.as_micros() == 0 || *span > DELAY_MAX => {
                Err(InvalidInput::new("aging", "must be a microsecond or more and ten years or less"))
            }
            Self::Hold(_) if matches!(gate, Gate::Keys(_) | Gate::Owners) => {
                Err(InvalidInput::new("gate", "of a kind of gates cannot be held; hold one of them"))
            }
            Self::Pause(_) if of_owners => Err(InvalidInput::new("gate", "of an owner cannot be paused; set a rate")),
            Self::Limit(limits) if of_owners && limits.running.is_some() => Err(InvalidInput::new(
                "limits",
                "of an owner are a rate, of submissions; how many run is limited at a key",
            )),
            _ => Ok(()),
        }
    }
}

impl Rule {
    /// Whether nothing holds.
    pub fn is_none(&self) -> bool {
        let starts = self.paused.is_none() && self.limits.is_none();
        starts && self.share.is_none() && self.backlog.is_none() && self.aging.is_none()
    }

    /// This rule with what another says where this one is silent.
    pub fn or(&self, other: &Self) -> Self {
        let Limits { running, in_order, .. } = if self.limits.running.is_some() { self.limits } else { other.limits };
        let rate = self.limits.rate.or(other.limits.rate);
        let paused = self.paused.clone().or_else(|| other.paused.clone());
        let share = Share { by: self.share.by.clone(), weight: self.share.weight.or(other.share.weight) };
        let backlog = if self.backlog.is_none() { other.backlog } else { self.backlog };
        Self { paused, limits: Limits { running, in_order, rate }, share, backlog, aging: self.aging }
    }

    /// What an edit makes of it. A hold is not a matter of the rule.
    pub fn edited(mut self, edit: &Edit) -> Self {
        match edit {
            Edit::Pause(note) => self.paused = Some(clip(note, NOTE_BYTES_MAX)),
            Edit::Resume => self.paused = None,
            Edit::Limit(limits) => self.limits = *limits,
            Edit::Rate { expected, rate } if self.limits.rate == *expected => self.limits.rate = *rate,
            Edit::Rate { .. } => {}
            Edit::Share(share) => self.share = share.clone(),
            Edit::Backlog(backlog) => self.backlog = *backlog,
            Edit::Aging(aging) => self.aging = *aging,
            Edit::Hold(_) => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Payload;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    /// Takes as many as there is room for.
    fn drain(bucket: &mut Bucket, rate: &Rate, now: Timestamp) -> u64 {
        let room = bucket.room(rate, now);
        (0..room).for_each(|_| *bucket = bucket.less_one(rate, now));
        assert_eq!(bucket.room(rate, now), 0);
        room
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate::per_second(500).expect("valid").burst(50).expect("valid");
        let mut bucket = Bucket::default();
        let given: u64 = (0..=1_000).map(|milli| drain(&mut bucket, &rate, at(milli * 1_000))).sum();
        assert_eq!(given, 50 + 500);
    }

    #[test]
    fn no_window_has_more_than_the_rate_and_the_burst() {
        let rate = Rate::new(7, Duration::from_secs(1)).expect("valid").burst(3).expect("valid");
        let (mut bucket, mut starts) = (Bucket::default(), Vec::new());
        for step in 0..5_000 {
            let now = at(step * 1_777);
            starts.extend((0..drain(&mut bucket, &rate, now)).map(|_| now.as_micros()));
        }
        for (first, from) in starts.iter().enumerate() {
            let within = starts[first..].iter().filter(|start| **start < from + 1_000_000).count();
            assert!(within <= 10, "{within} in the second from {from}");
        }
    }

    #[test]
    fn an_empty_bucket_says_when_to_come_back() {
        let rate = Rate::per_second(1_000).expect("valid").burst(40).expect("valid");
        let mut bucket = Bucket::default();
        drain(&mut bucket, &rate, at(0));
        let look = bucket.opens(&rate).after(rate.patience());
        assert_eq!((look, bucket.room(&rate, look)), (at(5_000), 5));
        let slow = Rate::new(1, Duration::from_secs(60)).expect("valid");
        let mut bucket = Bucket::default();
        drain(&mut bucket, &slow, at(0));
        assert_eq!((bucket.opens(&slow), bucket.room(&slow, bucket.opens(&slow))), (at(60_000_000), 1));
    }

    #[test]
    fn a_gate_is_what_its_text_says() {
        for text in ["*", "queue:mail", "handler:Send", "key:tenant:ac me:1", "keys:tenant", "owner:acme", "owners"] {
            let gate: Gate = text.parse().expect("valid");
            assert_eq!(gate.to_string(), text);
        }
        for text in [
            "",
            "mail",
            "owner:",
            "owners:a",
            "queue:",
            "queue:a b",
            "key:tenant",
            "key::x",
            "key:tenant:",
            "keys:",
            "keys:a:b",
        ] {
            assert!(text.parse::<Gate>().is_err(), "{text}");
        }
    }

    #[test]
    fn jobs_pass_the_gates_of_what_they_have() {
        let draft = NewJob::build("Send", Payload::empty()).queue("mail").key("tenant", "acme");
        let new = draft.finish(Timestamp::UNIX_EPOCH).expect("valid");
        for text in ["*", "queue:mail", "handler:Send", "key:tenant:acme", "keys:tenant"] {
            assert!(text.parse::<Gate>().expect("valid").is_passed_by(&new), "{text}");
        }
        for text in ["queue:other", "handler:Other", "key:tenant:other", "keys:user", "owner:acme", "owners"] {
            assert!(!text.parse::<Gate>().expect("valid").is_passed_by(&new), "{text}");
        }
    }

    #[test]
    fn a_rule_is_completed_by_another_part_by_part() {
        let rate = Rate::per_second(5).expect("valid");
        let own =
            Rule { paused: Some("why".into()), limits: Limits::rate(rate), share: Share::default(), ..Rule::default() };
        let other = Rule { limits: Limits::in_order(), share: Share::weight(3).expect("valid"), ..Rule::default() };
        let both = own.or(&other);
        assert_eq!(both.limits, Limits::in_order().with_rate(rate));
        assert_eq!((both.paused.as_deref(), both.share.weight), (Some("why"), Some(3)));
        let looser = Rule { limits: Limits::running(9), ..Rule::default() };
        assert_eq!(looser.or(&other).limits, Limits::running(9), "in order only with its own number");
    }

    #[test]
    fn edits_change_their_part_only() {
        let rule = Rule::default().edited(&Edit::Limit(Limits::running(3))).edited(&Edit::Pause("late".into()));
        assert_eq!((rule.paused.as_deref(), rule.limits.running), (Some("late"), Some(3)));
        assert!(rule.edited(&Edit::Resume).edited(&Edit::Limit(Limits::default())).is_none());
    }

    #[test]
    fn a_rate_is_swapped_for_another_only_where_it_is_the_expected_one() {
        let (mine, theirs) = (Rate::per_second(5).ok(), Rate::per_second(6).ok());
        let both = |expected, rate| Edit::Rate { expected, rate };
        let rule = Rule::default().edited(&Edit::Limit(Limits::running(3))).edited(&both(None, mine));
        assert_eq!((rule.limits.running, rule.limits.rate), (Some(3), mine), "the rest stays");
        assert_eq!(rule.clone().edited(&both(None, theirs)), rule);
        assert_eq!(rule.clone().edited(&both(theirs, None)), rule);
        assert_eq!(rule.edited(&both(mine, None)).limits, Limits::running(3));
    }

    #[test]
    fn shares_are_set_where_they_mean_something() {
        let (by, weight) = (Share::by("tenant").expect("valid"), Share::weight(4).expect("valid"));
        let gate = |text: &str| text.parse::<Gate>().expect("valid");
        assert!(by.check(&gate("queue:mail")).is_ok() && Share::default().check(&gate("*")).is_ok());
        assert!(weight.check(&gate("key:tenant:acme")).is_ok() && weight.check(&gate("keys:tenant")).is_ok());
        for (share, text) in [(&by, "*"), (&by, "keys:tenant"), (&weight, "queue:mail"), (&weight, "handler:Send")] {
            assert!(share.check(&gate(text)).is_err(), "{share:?} at {text}");
        }
        assert!(Share::weight(0).is_err() && Share::weight(1_001).is_err() && Share::by("").is_err());
    }

    #[test]
    fn owners_have_a_rate_and_a_backlog_and_nothing_else() {
        let rate = || Limits::rate(Rate::per_second(5).expect("valid"));
        for text in ["owner:acme", "owners"] {
            let gate: Gate = text.parse().expect("valid");
            assert!(Edit::Limit(rate()).check(&gate).is_ok() && Edit::Limit(Limits::default()).check(&gate).is_ok());
            assert!(Edit::Limit(Limits::running(1)).check(&gate).is_err(), "{text}");
            assert!(
                Edit::Limit(Limits::in_order().with_rate(Rate::per_second(5).expect("valid"))).check(&gate).is_err()
            );
            assert!(Edit::Pause("why".into()).check(&gate).is_err(), "{text}");
            assert!(Edit::Share(Share::weight(2).expect("valid")).check(&gate).is_err(), "{text}");
            assert!(Edit::Backlog(Backlog::most(5).drop_oldest()).check(&gate).is_ok(), "{text}");
        }
        assert!(Gate::Owners.covers(&Gate::owner("acme").expect("valid")));
        assert!(!Gate::Owners.covers(&Gate::key("owner", "acme").expect("valid")));
    }

    #[test]
    fn how_many_wait_is_said_at_a_queue_or_at_owners() {
        let backlog = Edit::Backlog(Backlog::most(5).drop_oldest());
        assert!(backlog.check(&"queue:mail".parse().expect("valid")).is_ok());
        for text in ["*", "handler:Send", "key:tenant:acme", "keys:tenant"] {
            let gate = text.parse().expect("valid");
            assert!(backlog.check(&gate).is_err() && Edit::Backlog(Backlog::default()).check(&gate).is_ok(), "{text}");
        }
        let rule = Rule::default().edited(&Edit::Pause("why".into())).edited(&backlog);
        assert_eq!((rule.backlog, rule.paused.is_some()), (Backlog { most: Some(5), drops: true }, true));
        assert!(rule.edited(&Edit::Backlog(Backlog::default())).edited(&Edit::Resume).is_none());
    }

    #[test]
    fn what_is_said_of_an_owners_backlog_goes_before() {
        let of = |backlog| Rule { backlog, ..Rule::default() };
        let (own, all) = (Backlog::most(5), Backlog::most(1).drop_oldest());
        assert_eq!(of(own).or(&of(all)).backlog, own, "what becomes of those over it too");
        assert_eq!(Rule::default().or(&of(all)).backlog, all);
    }

    #[test]
    fn who_leaves_makes_room() {
        let (refuses, drops) = (Backlog::most(2), Backlog::most(2).drop_oldest());
        assert!(refuses.has_room(1, 0) && !refuses.has_room(2, 0) && refuses.has_room(2, 1) && !refuses.has_room(3, 1));
        assert!(!drops.has_room(2, 0) && drops.has_room(9, 1) && Backlog::default().has_room(9, 0));
    }

    #[test]
    fn jobs_of_queues_age() {
        let aging = |micros| Edit::Aging(Some(Duration::from_micros(micros)));
        let queue: Gate = "queue:mail".parse().expect("valid");
        assert!(aging(1).check(&queue).is_ok() && aging(0).check(&queue).is_err());
        assert!(Edit::Aging(Some(DELAY_MAX + Duration::from_secs(1))).check(&queue).is_err());
        assert!(aging(1).check(&Gate::Everything).is_err() && Edit::Aging(None).check(&Gate::Everything).is_ok());
        let rule = Rule::default().edited(&aging(5));
        assert!(!rule.is_none() && rule.edited(&Edit::Aging(None)).is_none());
    }

    /// Rules had no share and no backlog when the first of them were written.
    #[test]
    fn a_rule_without_a_share_is_written_and_read_as_before_there_were_any() {
        #[derive(Serialize)]
        struct Former {
            paused: Option<String>,
            limits: Limits,
        }
        let former = serde_json::to_string(&Former { paused: None, limits: Limits::running(2) }).expect("writes");
        let rule = Rule { limits: Limits::running(2), ..Rule::default() };
        assert_eq!(serde_json::to_string(&rule).expect("writes"), former);
        assert_eq!(serde_json::from_str::<Rule>(&former).expect("reads"), rule);
    }

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        assert!(Rate::per_second(0).is_err() && Rate::per_second(1_000_001).is_err());
        assert!(Rate::new(1, DELAY_MAX + Duration::from_secs(1)).is_err());
        assert!(Rate::per_second(1).and_then(|rate| rate.burst(0)).is_err());
        assert!(Rate::new(1, Duration::from_secs(3_600)).and_then(|rate| rate.burst(u32::MAX)).is_err());
    }
}
