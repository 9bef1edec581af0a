//! Jobs of which there must be one at a time: by what they are the same, while what holds, and what becomes of the second.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::JobId;
use crate::limits::{DELAY_MAX, InvalidInput, UNIQUE_FIELDS_MAX, UNIQUE_KEY_BYTES_MAX};
use crate::name::{JobName, Owner, QueueName};
use crate::state::Status;
use crate::time::Timestamp;

/// By what a job is the same as another, for how long, and what becomes of a second one. The first holds the key while it
/// is waiting or running, or otherwise as [`states`](Self::states) and [`within`](Self::within) say; a second one is refused,
/// and its submitter is told of the first, unless it [replaces](Self::replace) it, even
/// [where it runs](Self::cancel_running).
///
/// Jobs of different handlers and of different owners are never the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until a job is submitted with it"]
pub struct Unique {
    by: By,
    in_queue: bool,
    states: Option<States>,
    period: Option<Duration>,
    replaces: bool,
    extends: bool,
    cancels_running: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    Key(String),
    Fields(Vec<String>),
    Input,
}

/// What of a job decides whether it is the same as another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a JobName,
    pub(crate) queue: &'a QueueName,
    pub(crate) owner: Option<&'a Owner>,
    pub(crate) input: &'a [u8],
}

/// A set of statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct States(u8);

/// What a job that is unique says to its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uniqueness {
    /// By what it is the same as another: the same for all of them, different for any other.
    pub key: JobId,
    /// The statuses in which it holds the key.
    pub states: States,
    /// It holds the key for so long after its acceptance and no longer.
    pub period: Option<Duration>,
    /// Whether it takes the place of a job that waits.
    pub replaces: bool,
    /// Whether a second one that is refused makes the period begin anew.
    pub extends: bool,
    /// Whether it takes the place of a job that runs, too, which is asked to stop.
    // Last, and not there at all where it is not so, as in records from before it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cancels_running: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Who holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The statuses in which it does.
    pub states: States,
    /// Until when it does, if there is an end.
    pub until: Option<Timestamp>,
    /// Where it stands; `None` when it has been removed.
    pub status: Option<Status>,
}

/// What becomes of a job whose key somebody has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody holds the key any more: it is accepted.
    Free,
    /// The holder stands: it is refused.
    Stands,
    /// It is accepted in place of the holder, which is canceled if it waits, and asked to stop if it runs.
    Replaces,
}

impl Unique {
    /// The same are jobs with this key, of 1 to 256 bytes.
    pub fn key(key: impl Into<String>) -> Self {
        Self::by(By::Key(key.into()))
    }

    /// The same are jobs whose JSON input has the same values in these fields, named as in JSON Pointer (RFC 6901) or by
    /// their plain names: `userId`, `/order/id`. At most 16.
    pub fn fields<F: Into<String>>(fields: impl IntoIterator<Item = F>) -> Self {
        Self::by(By::Fields(fields.into_iter().map(Into::into).collect()))
    }

    /// The same are jobs with the same input, byte for byte.
    pub fn input() -> Self {
        Self::by(By::Input)
    }

    fn by(by: By) -> Self {
        Self {
            by,
            in_queue: false,
            states: None,
            period: None,
            replaces: false,
            extends: false,
            cancels_running: false,
        }
    }

    /// Jobs in different queues are not the same.
    pub fn in_queue(mut self) -> Self {
        self.in_queue = true;
        self
    }

    /// The first holds the key in these statuses. Default: while it is `Queued`, `Scheduled` or `InProgress`; with a period,
    /// in all.
    pub fn states(mut self, states: impl IntoIterator<Item = Status>) -> Self {
        self.states = Some(States::of(states));
        self
    }

    /// The first holds the key for so long after its acceptance, whatever becomes of it: a throttle. Up to ten years.
    pub fn within(mut self, period: Duration) -> Self {
        self.period = Some(period);
        self
    }

    /// The second takes the place of the first while that waits; one that runs stands. With a delay, this is a debounce: the
    /// last of a burst runs, when it is over.
    pub fn replace(mut self) -> Self {
        self.replaces = true;
        self
    }

    /// As [`replace`](Self::replace), and a first one that runs makes way too: its handler is asked to stop, as by any
    /// cancellation, and the second holds the key from then on.
    ///
    /// Nobody waits until the first has stopped. Where only one may run, give both a [key](crate::Key) with a limit of one
    /// ([`Limits::running`](crate::Limits::running)).
    pub fn cancel_running(mut self) -> Self {
        self.cancels_running = true;
        self.replace()
    }

    /// A second one that is refused makes the period begin anew.
    pub fn extend(mut self) -> Self {
        self.extends = true;
        self
    }

    /// Whether fields of the input decide, which has to be JSON then.
    pub fn is_by_fields(&self) -> bool {
        matches!(self.by, By::Fields(_))
    }

    /// Refuses what can make no job unique, whatever its input: a key that is too long, a period of nothing, and the like.
    pub fn check(&self) -> Result<(), InvalidInput> {
        if self.period.is_some_and(|period| period.is_zero() || period > DELAY_MAX) {
            return Err(InvalidInput::new("unique period", "must be more than zero and ten years or less"));
        }
        if self.extends && self.period.is_none() {
            return Err(InvalidInput::new("unique period", "must be given where it is extended"));
        }
        if self.states == Some(States::of([])) {
            return Err(InvalidInput::new("unique states", "must be one or more"));
        }
        match &self.by {
            By::Key(key) if key.is_empty() || key.len() > UNIQUE_KEY_BYTES_MAX => {
                Err(InvalidInput::new("unique key", "must have 1 to 256 bytes"))
            }
            By::Fields(fields) if fields.is_empty() || fields.len() > UNIQUE_FIELDS_MAX => {
                Err(InvalidInput::new("unique fields", "must be 1 to 16"))
            }
            By::Key(_) | By::Fields(_) | By::Input => Ok(()),
        }
    }

    /// What this means for a job.
    pub(crate) fn of(&self, job: Subject<'_>) -> Result<Uniqueness, InvalidInput> {
        self.check()?;
        let states = self.states.unwrap_or(if self.period.is_some() { States::ALL } else { States::UNFINISHED });
        let key = self.key_of(job)?;
        let Self { period, replaces, extends, cancels_running, .. } = *self;
        Ok(Uniqueness { key, states, period, replaces, extends, cancels_running })
    }

    fn key_of(&self, job: Subject<'_>) -> Result<JobId, InvalidInput> {
        let owner = job.owner.map_or("", Owner::as_str);
        let queue = if self.in_queue { job.queue.as_str() } else { "" };
        let (kind, values) = match &self.by {
            By::Key(key) => ("key", vec![key.clone()]),
            By::Fields(fields) => ("fields", values(fields, job.input)?),
            By::Input => {
                let parts = [b"input".as_slice(), owner.as_bytes(), queue.as_bytes(), job.name.as_str().as_bytes()];
                return Ok(JobId::keyed(&[&parts[..], &[job.input]].concat()));
            }
        };
        let parts = [kind, owner, queue, job.name.as_str()].map(str::as_bytes);
        let values = values.iter().map(String::as_bytes);
        Ok(JobId::keyed(&parts.into_iter().chain(values).collect::<Vec<_>>()))
    }
}

/// The values of fields of JSON, each behind its name.
fn values(fields: &[String], input: &[u8]) -> Result<Vec<String>, InvalidInput> {
    let input: Value = serde_json::from_slice(input)
        .map_err(|_| InvalidInput::new("unique fields", "can be taken from JSON input only"))?;
    let value = |field: &String| {
        let found = if field.starts_with('/') { input.pointer(field) } else { input.get(field) };
        found.ok_or(InvalidInput::new("unique fields", "must all be in the input"))
    };
    fields
        .iter()
        .map(|field| Ok([field.clone(), value(field)?.to_string()]))
        .collect::<Result<Vec<_>, _>>()
        .map(|all| all.concat())
}

impl States {
    /// All of them.
    pub const ALL: Self = Self(0b0111_1110);
    /// Those of a job that waits or runs.
    pub const UNFINISHED: Self = Self(0b0000_1110);

    /// These.
    pub fn of(states: impl IntoIterator<Item = Status>) -> Self {
        Self(states.into_iter().fold(0, |bits, status| bits | 1 << status.code()))
    }

    /// Whether it is among them.
    pub fn contains(self, status: Status) -> bool {
        self.0 >> status.code() & 1 == 1
    }

    /// A bit for each, at the place of [`Status::code`].
    pub fn bits(self) -> u8 {
        self.0
    }

    /// What [`bits`](Self::bits) gave.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

impl Uniqueness {
    /// Until when a job accepted at `now` holds its key, if there is an end.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.period.map(|period| now.after(period))
    }

    /// What becomes of a job whose key `holder` has or had.
    pub fn meets(&self, holder: Holder, now: Timestamp) -> Verdict {
        let in_time = holder.until.is_none_or(|until| now < until);
        // One that has been removed holds its key to the end of its period, if it does so in all statuses.
        let in_state = match holder.status {
            Some(status) => holder.states.contains(status),
            None => holder.until.is_some() && holder.states == States::ALL,
        };
        match (in_time && in_state, holder.status) {
            (false, _) => Verdict::Free,
            (true, Some(status)) if self.replaces && status.is_waiting() => Verdict::Replaces,
            (true, Some(Status::InProgress)) if self.cancels_running => Verdict::Replaces,
            (true, _) => Verdict::Stands,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    /// A handler, a queue, an owner and an input.
    struct Job(JobName, QueueName, Option<Owner>, &'static str);

    fn job(input: &'static str) -> Job {
        Job("Invoice".parse().expect("valid"), QueueName::default(), None, input)
    }

    fn of(unique: &Unique, Job(name, queue, owner, input): &Job) -> Result<Uniqueness, InvalidInput> {
        unique.of(Subject { name, queue, owner: owner.as_ref(), input: input.as_bytes() })
    }

    fn key(unique: &Unique, job: &Job) -> JobId {
        of(unique, job).expect("valid").key
    }

    #[test]
    fn the_same_key_is_the_same_for_one_handler_and_owner_only() {
        let unique = Unique::key("customer-7");
        let (one, other) = (job("1"), job("2"));
        assert_eq!(key(&unique, &one), key(&unique, &other));
        let elsewhere = Job("Receipt".parse().expect("valid"), one.1.clone(), None, "1");
        let of_somebody = Job(one.0.clone(), one.1.clone(), Some(Owner::new("acme").expect("valid")), "1");
        let queued = Job(one.0.clone(), "slow".parse().expect("valid"), None, "1");
        assert_ne!(key(&unique, &one), key(&unique, &elsewhere));
        assert_ne!(key(&unique, &one), key(&unique, &of_somebody));
        assert_eq!(key(&unique, &one), key(&unique, &queued));
        assert_ne!(key(&unique.clone().in_queue(), &one), key(&unique.in_queue(), &queued));
        assert_ne!(key(&Unique::key("a"), &one), key(&Unique::key("b"), &one));
    }

    #[test]
    fn chosen_fields_decide_and_others_do_not() {
        let unique = Unique::fields(["customer", "/order/id"]);
        let of = |input| of(&unique, &job(input)).map(|unique| unique.key);
        let one = of(r#"{"customer": 7, "order": {"id": "x"}, "at": 1}"#).expect("valid");
        assert_eq!(of(r#"{"at": 2, "order": {"id": "x", "more": 1}, "customer": 7}"#), Ok(one));
        assert_ne!(of(r#"{"customer": "7", "order": {"id": "x"}}"#), Ok(one));
        assert_ne!(of(r#"{"customer": 7, "order": {"id": "y"}}"#), Ok(one));
        for (input, why) in [(r#"{"customer": 7}"#, "must all be in"), ("text", "JSON input only")] {
            assert!(of(input).expect_err("refused").to_string().contains(why));
        }
        assert_ne!(key(&Unique::input(), &job("1")), key(&Unique::input(), &job("1 ")));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let many: Vec<String> = (0..17).map(|number| number.to_string()).collect();
        let wrong = [
            Unique::key(""),
            Unique::key("x".repeat(257)),
            Unique::fields(Vec::<String>::new()),
            Unique::fields(many),
            Unique::key("k").within(Duration::ZERO),
            Unique::key("k").within(Duration::MAX),
            Unique::key("k").extend(),
            Unique::key("k").states([]),
        ];
        assert!(wrong.iter().all(|unique| unique.check().is_err() && of(unique, &job("{}")).is_err()));
        let by_fields = Unique::fields(["absent"]);
        assert!(by_fields.check().is_ok() && of(&by_fields, &job("{}")).is_err(), "the input decides");
    }

    fn meets(unique: &Unique, status: Option<Status>, until: Option<Timestamp>) -> Verdict {
        let unique = of(unique, &job("1")).expect("valid");
        unique.meets(Holder { states: unique.states, until, status }, NOW)
    }

    #[test]
    fn a_key_is_held_by_what_waits_or_runs() {
        let plain = Unique::key("k");
        for status in Status::ALL {
            let expected = if status.is_finished() { Verdict::Free } else { Verdict::Stands };
            assert_eq!(meets(&plain, Some(status), None), expected, "{status}");
        }
        assert_eq!(meets(&plain, None, None), Verdict::Free);
        let done_too = plain.states([Status::Completed]);
        assert_eq!(meets(&done_too, Some(Status::Completed), None), Verdict::Stands);
        assert_eq!(meets(&done_too, Some(Status::Queued), None), Verdict::Free);
    }

    #[test]
    fn a_period_holds_whatever_becomes_of_the_job_and_then_ends() {
        let throttle = Unique::key("k").within(HOUR);
        let (during, over) = (Some(NOW.after(HOUR)), Some(NOW));
        for status in Status::ALL.map(Some).into_iter().chain([None]) {
            assert_eq!(meets(&throttle, status, during), Verdict::Stands);
            assert_eq!(meets(&throttle, status, over), Verdict::Free);
        }
        let unfinished = throttle.states([Status::Queued]);
        assert_eq!(meets(&unfinished, Some(Status::Completed), during), Verdict::Free);
        assert_eq!(meets(&unfinished, None, during), Verdict::Free);
    }

    #[test]
    fn only_what_waits_is_replaced() {
        let replacing = Unique::key("k").replace();
        assert_eq!(meets(&replacing, Some(Status::Queued), None), Verdict::Replaces);
        assert_eq!(meets(&replacing, Some(Status::Scheduled), None), Verdict::Replaces);
        assert_eq!(meets(&replacing, Some(Status::InProgress), None), Verdict::Stands);
        assert_eq!(meets(&replacing, Some(Status::Completed), None), Verdict::Free);
    }

    #[test]
    fn what_runs_is_replaced_by_those_that_cancel_it() {
        let newest = Unique::key("k").cancel_running();
        for status in [Status::Queued, Status::Scheduled, Status::InProgress] {
            assert_eq!(meets(&newest, Some(status), None), Verdict::Replaces, "{status}");
        }
        let throttle = newest.clone().within(HOUR);
        for status in [Status::Completed, Status::Failed, Status::Canceled] {
            assert_eq!(meets(&newest, Some(status), None), Verdict::Free, "{status}");
            assert_eq!(meets(&throttle, Some(status), Some(NOW.after(HOUR))), Verdict::Stands, "{status}");
        }
        let while_queued = newest.states([Status::Queued]);
        assert_eq!(
            meets(&while_queued, Some(Status::InProgress), None),
            Verdict::Free,
            "it holds nothing while it runs"
        );
    }
}
