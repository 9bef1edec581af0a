//! A message with all that is known of it, as it travels: compact JSON after Whizbang's `MessageEnvelope` and `MessageHop`, with
//! their short names, but for this house's types (ids are UUIDs, durations are milliseconds). Nothing in process builds one; who stores, sends or records messages does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use windlass_core::time::rfc3339;
use windlass_core::{CausationId, Clock, CorrelationId, MessageId, StreamId, SystemClock, Timestamp};

use crate::message_context::MessageContext;
use crate::policy::Decision;

/// The version of the shape.
pub const VERSION: u16 = 1;

/// A message and the hops that it has made, the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<P> {
    /// The version of this shape.
    #[serde(rename = "v")]
    pub version: u16,
    /// How it is dispatched.
    #[serde(rename = "dc", default)]
    pub dispatch: Dispatch,
    /// The message's id.
    pub id: MessageId,
    /// Its content.
    #[serde(rename = "p")]
    pub payload: P,
    /// Where it has been.
    #[serde(rename = "h")]
    pub hops: Vec<Hop>,
}

/// How a message is dispatched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Which ways: the sum of 1 (in process), 2 (outbox) and 4 (event store).
    #[serde(rename = "m")]
    pub mode: u8,
    /// Who decided it, as a number of the system that writes it.
    #[serde(rename = "s")]
    pub source: u8,
    /// Whether nobody did.
    #[serde(rename = "d")]
    pub by_default: bool,
}

/// One stop of a message, or of one that it follows from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hop {
    /// Whose stop it is.
    #[serde(rename = "ty", skip_serializing_if = "is_current")]
    pub of: HopOf,
    /// The message right before.
    #[serde(rename = "ca", skip_serializing_if = "Option::is_none")]
    pub causation: Option<CausationId>,
    /// The beginning.
    #[serde(rename = "co", skip_serializing_if = "Option::is_none")]
    pub correlation: Option<CorrelationId>,
    /// The name of the message right before.
    #[serde(rename = "ct", skip_serializing_if = "Option::is_none")]
    pub causation_type: Option<String>,
    /// The process.
    #[serde(rename = "si", skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// When.
    #[serde(rename = "ts", with = "rfc3339")]
    pub at: Timestamp,
    /// Where it was published.
    #[serde(rename = "to", skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Its stream.
    #[serde(rename = "st", skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamId>,
    /// Its partition.
    #[serde(rename = "pi", skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// Its place in its stream.
    #[serde(rename = "sn", skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// How it was run.
    #[serde(rename = "es", skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// What has changed of its scope.
    #[serde(rename = "sc", skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeChange>,
    /// Whatever else.
    #[serde(rename = "md", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// What the policies said.
    #[serde(rename = "tr", skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// The function that sent it.
    #[serde(rename = "cm", skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Its file.
    #[serde(rename = "cf", skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its line.
    #[serde(rename = "cl", skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How long it stayed, in milliseconds.
    #[serde(rename = "du", skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// The W3C `traceparent`.
    #[serde(rename = "tp", skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Whose stop a hop is: 0 on the wire, which is left out, and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum HopOf {
    /// The message's own.
    #[default]
    Current,
    /// That of a message which it follows from.
    Causation,
}

fn is_current(of: &HopOf) -> bool {
    *of == HopOf::Current
}

impl From<HopOf> for u8 {
    fn from(of: HopOf) -> Self {
        of as Self
    }
}

impl TryFrom<u8> for HopOf {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            0 => Ok(Self::Current),
            1 => Ok(Self::Causation),
            other => Err(format!("{other} is no type of a hop")),
        }
    }
}

/// A process of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The service.
    #[serde(rename = "sn")]
    pub name: String,
    /// This start of it.
    #[serde(rename = "ii")]
    pub instance: Uuid,
    /// The host.
    #[serde(rename = "hn")]
    pub host: String,
    /// The process.
    #[serde(rename = "pi")]
    pub process: u32,
}

/// The short names of a scope's values.
pub mod scope {
    /// The tenant.
    pub const TENANT: &str = "t";
    /// The customer.
    pub const CUSTOMER: &str = "c";
    /// The user.
    pub const USER: &str = "u";
    /// The organisation.
    pub const ORGANISATION: &str = "o";
    /// Who may see what comes of it: a collection.
    pub const PRINCIPALS: &str = "ap";
    /// Whatever else: a collection of `{ k, v }`.
    pub const EXTENSIONS: &str = "ex";
}

/// What a hop changes of its message's scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScopeChange {
    /// Single values by their short names; `null` takes one away.
    #[serde(rename = "v", skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Option<String>>,
    /// Changes of collections.
    #[serde(rename = "c", skip_serializing_if = "BTreeMap::is_empty")]
    pub collections: BTreeMap<String, CollectionChange>,
}

/// What is done to a collection, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectionChange {
    /// All of it.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub set: Option<Vec<Value>>,
    /// What comes to it.
    #[serde(rename = "a", skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Value>,
    /// What goes from it.
    #[serde(rename = "r", skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Value>,
}

/// On whose behalf a message is handled: what all its hops come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Single values by their short names.
    pub values: BTreeMap<String, String>,
    /// Collections by their short names.
    pub collections: BTreeMap<String, Vec<Value>>,
}

impl Scope {
    fn change(&mut self, by: &ScopeChange) {
        for (name, value) in &by.values {
            match value {
                Some(value) => drop(self.values.insert(name.clone(), value.clone())),
                None => drop(self.values.remove(name)),
            }
        }
        for (name, change) in &by.collections {
            let collection = self.collections.entry(name.clone()).or_default();
            if let Some(set) = &change.set {
                collection.clone_from(set);
            }
            collection.extend(change.add.iter().cloned());
            collection.retain(|value| !change.remove.contains(value));
        }
    }
}

impl<P> Envelope<P> {
    /// A message at its first stop.
    pub fn new(payload: P, context: &MessageContext) -> Self {
        let hops = vec![Hop::of(context)];
        Self {
            version: VERSION,
            dispatch: Dispatch { mode: 1, source: 0, by_default: true },
            id: context.id(),
            payload,
            hops,
        }
    }

    /// What it shares with all that follow from the same beginning.
    pub fn correlation(&self) -> Option<CorrelationId> {
        self.hops.first().and_then(|hop| hop.correlation)
    }

    /// The message right before it.
    pub fn causation(&self) -> Option<CausationId> {
        self.hops.first().and_then(|hop| hop.causation)
    }

    /// Its own latest hop that says something of `what`: `envelope.latest(|hop| hop.topic.as_deref())`.
    pub fn latest<'a, T>(&'a self, what: impl Fn(&'a Hop) -> Option<T>) -> Option<T> {
        self.hops.iter().rev().filter(|hop| is_current(&hop.of)).find_map(what)
    }

    /// The hops of the messages that it follows from.
    pub fn causation_hops(&self) -> impl Iterator<Item = &Hop> {
        self.hops.iter().filter(|hop| hop.of == HopOf::Causation)
    }

    /// Metadata of all its own hops; later values stand.
    pub fn metadata(&self) -> BTreeMap<&str, &Value> {
        let own = self.hops.iter().filter(|hop| is_current(&hop.of));
        own.flat_map(|hop| &hop.metadata).map(|(name, value)| (name.as_str(), value)).collect()
    }

    /// All that the policies said.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.hops.iter().flat_map(|hop| &hop.decisions)
    }

    /// On whose behalf it is handled now.
    pub fn scope(&self) -> Scope {
        let mut scope = Scope::default();
        let own = self.hops.iter().filter(|hop| is_current(&hop.of));
        own.filter_map(|hop| hop.scope.as_ref()).for_each(|change| scope.change(change));
        scope
    }
}

impl Hop {
    /// A message's own stop, now.
    pub fn of(context: &MessageContext) -> Self {
        let tenant = context.tenant().map(|tenant| (scope::TENANT.to_owned(), Some(tenant.to_owned())));
        let user = context.user().map(|user| (scope::USER.to_owned(), Some(user.to_string())));
        let values: BTreeMap<_, _> = tenant.into_iter().chain(user).collect();
        Self {
            causation: context.causation(),
            correlation: Some(context.correlation()),
            at: SystemClock.now(),
            stream: context.stream(),
            scope: (!values.is_empty()).then(|| ScopeChange { values, ..ScopeChange::default() }),
            traceparent: context.traceparent().map(str::to_owned),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_core::Owner;

    use super::*;

    const ID: &str = "0192d3a0-0000-7000-8000-00000000000";

    fn full() -> Value {
        json!({
            "v": 1,
            "dc": { "m": 3, "s": 2, "d": false },
            "id": format!("{ID}1"),
            "p": { "sku": "rope" },
            "h": [
                {
                    "ca": format!("{ID}2"), "co": format!("{ID}3"), "ct": "CreateOrder",
                    "si": { "sn": "shop", "ii": format!("{ID}4"), "hn": "web-1", "pi": 7 },
                    "ts": "2026-11-22T12:00:00.000001Z", "to": "orders", "st": format!("{ID}5"), "pi": 3, "sn": 9,
                    "es": "Serial", "sc": { "v": { "t": "acme", "u": "ada" }, "c": { "ap": { "s": ["a", "b"] } } },
                    "md": { "k": 1, "l": 2 },
                    "tr": [{ "pn": "big", "r": "Order 1", "m": true, "rs": "it fits", "ts": "2026-11-22T12:00:00Z" }],
                    "cm": "create", "cf": "shop.rs", "cl": 12, "du": 1.5, "tp": "00-1-2-03"
                },
                { "ty": 1, "ts": "2026-11-22T11:00:00Z", "to": "carts", "sc": { "v": { "t": "other" } } },
                {
                    "ts": "2026-11-22T12:00:01Z", "to": "orders-eu", "md": { "k": 3 },
                    "sc": { "v": { "u": null }, "c": { "ap": { "a": ["c"], "r": ["a"] } } }
                }
            ]
        })
    }

    #[test]
    fn the_wire_form_is_read_and_written_as_it_is() {
        let envelope: Envelope<Value> = serde_json::from_value(full()).expect("reads");
        assert_eq!(serde_json::to_value(&envelope).expect("writes"), full());
        let mut wrong = full();
        wrong["h"][1]["ty"] = json!(2);
        assert!(serde_json::from_value::<Envelope<Value>>(wrong).is_err());
    }

    #[test]
    fn later_hops_stand_and_those_of_causes_do_not_count() {
        let envelope: Envelope<Value> = serde_json::from_value(full()).expect("reads");
        assert_eq!(envelope.correlation().map(|id| id.to_string()), Some(format!("{ID}3")));
        assert_eq!(envelope.causation().map(|id| id.to_string()), Some(format!("{ID}2")));
        assert_eq!(envelope.latest(|hop| hop.topic.as_deref()), Some("orders-eu"));
        assert_eq!(envelope.latest(|hop| hop.partition), Some(3));
        assert_eq!(envelope.metadata(), BTreeMap::from([("k", &json!(3)), ("l", &json!(2))]));
        assert_eq!((envelope.causation_hops().count(), envelope.decisions().count()), (1, 1));
        let scope = envelope.scope();
        assert_eq!(scope.values, BTreeMap::from([("t".to_owned(), "acme".to_owned())]));
        assert_eq!(scope.collections["ap"], [json!("b"), json!("c")]);
    }

    #[test]
    fn an_envelope_of_a_message_says_what_its_context_knows_and_nothing_else() {
        let user = Owner::new("ada").expect("valid");
        let context = MessageContext::new().with_tenant("acme").with_user(user).with_traceparent("00-1-2-03").next();
        let mut envelope = Envelope::new(json!({ "sku": "rope" }), &context);
        envelope.hops[0].at = Timestamp::UNIX_EPOCH;
        let expected = json!({
            "v": 1, "dc": { "m": 1, "s": 0, "d": true }, "id": context.id(), "p": { "sku": "rope" },
            "h": [{
                "ca": context.causation(), "co": context.correlation(), "ts": "1970-01-01T00:00:00Z",
                "sc": { "v": { "t": "acme", "u": "ada" } }, "tp": "00-1-2-03",
            }],
        });
        assert_eq!(serde_json::to_value(&envelope).expect("writes"), expected);
    }
}
