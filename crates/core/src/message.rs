//! What belongs to a message beside its content: its ids, and which messages it follows from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::JobId;
use crate::limits::InvalidInput;
use crate::time::Timestamp;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id of version 7, which sorts by `now` to the microsecond.
            pub fn generate(now: Timestamp) -> Self {
                Self(JobId::generate(now).as_uuid())
            }

            /// An id that any process computes alike from the same parts; see [`JobId::keyed`].
            pub fn keyed(parts: &[&[u8]]) -> Self {
                Self(JobId::keyed(parts).as_uuid())
            }

            /// The id as a [`Uuid`].
            pub fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = InvalidInput;

            /// Reads any usual UUID form.
            fn from_str(text: &str) -> Result<Self, InvalidInput> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidInput::new($what, "is not a UUID"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

ids! {
    /// Names one message for ever. That of a message which is submitted as a job is its job's.
    MessageId, "message id";
    /// What all messages share that follow from one beginning.
    CorrelationId, "correlation id";
    /// The message that a message follows from.
    CausationId, "causation id";
    /// What messages are about that must be handled in their order: an order, an account.
    StreamId, "stream id";
}

impl From<JobId> for MessageId {
    fn from(id: JobId) -> Self {
        Self(id.as_uuid())
    }
}

impl From<MessageId> for JobId {
    fn from(id: MessageId) -> Self {
        id.as_uuid().into()
    }
}

impl From<MessageId> for CorrelationId {
    /// The correlation of all that begins with this message.
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

impl From<MessageId> for CausationId {
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

/// What a message follows from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The beginning that it shares with others.
    pub correlation: CorrelationId,
    /// The message right before it; none for what came from outside.
    pub causation: Option<CausationId>,
    /// For which tenant, 1 to 255 bytes.
    pub tenant: Option<Box<str>>,
}

impl Cause {
    /// The longest name of a tenant, in bytes.
    pub const TENANT_BYTES_MAX: usize = 255;

    /// A beginning from outside.
    pub fn beginning(correlation: CorrelationId) -> Self {
        Self { correlation, causation: None, tenant: None }
    }

    /// Refuses an empty tenant and one that is too long.
    pub fn check(&self) -> Result<(), InvalidInput> {
        match self.tenant.as_deref().map(str::len) {
            Some(0) | Some(256..) => Err(InvalidInput::new("tenant", "must have 1 to 255 bytes")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_values_of_sixteen_bytes_that_sort_by_time() {
        let early = MessageId::generate(Timestamp::from_millis(1_000));
        let late = MessageId::generate(Timestamp::from_millis(2_000));
        assert!(early < late && early.as_uuid().get_version_num() == 7);
        assert_eq!(size_of::<Option<StreamId>>() - size_of::<StreamId>(), 1, "no heap, no padding");
        assert_eq!(serde_json::to_string(&early).expect("text"), format!("\"{early}\""));
        assert_eq!(early.to_string().parse::<MessageId>(), Ok(early));
    }

    #[test]
    fn a_job_of_a_message_has_its_id() {
        let id = MessageId::generate(Timestamp::UNIX_EPOCH);
        assert_eq!(MessageId::from(JobId::from(id)), id);
        assert_eq!(CorrelationId::from(id).as_uuid(), CausationId::from(id).as_uuid());
    }

    #[test]
    fn what_is_no_id_and_no_tenant_is_refused() {
        assert!("order-17".parse::<StreamId>().expect_err("text").to_string().contains("stream id"));
        let cause = |tenant: &str| Cause {
            tenant: Some(tenant.into()),
            ..Cause::beginning(CorrelationId::keyed(&[b"beginning"]))
        };
        assert!(cause("acme").check().is_ok() && cause(&"a".repeat(Cause::TENANT_BYTES_MAX)).check().is_ok());
        assert!(cause("").check().is_err() && cause(&"a".repeat(256)).check().is_err());
    }
}
