//! Names that callers choose: checked once against `[A-Za-z0-9._:-]{1,128}`, then cheap to clone and safe to print.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::{InvalidInput, NAME_LENGTH_MAX};

fn check(what: &'static str, text: &str) -> Result<(), InvalidInput> {
    if text.is_empty() || text.len() > NAME_LENGTH_MAX {
        return Err(InvalidInput::new(what, "must have 1 to 128 characters"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if !text.bytes().all(allowed) {
        return Err(InvalidInput::new(what, "may contain only letters, digits and . _ : -"));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and keeps it. Errors when it is not 1 to 128 of `[A-Za-z0-9._:-]`.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidInput> {
                let text = text.as_ref();
                check($what, text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidInput;

            fn from_str(text: &str) -> Result<Self, InvalidInput> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidInput;

            fn try_from(text: String) -> Result<Self, InvalidInput> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().into()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name! {
    /// Which handler a job is for. Stored with the job, so it outlives any refactoring of the code behind it.
    JobName, "job name"
}

name! {
    /// The line in which a job waits.
    QueueName, "queue name"
}

name! {
    /// Who may see and cancel a job: a tenant, a user, or `tenant:user`. The application decides what it means.
    Owner, "owner"
}

name! {
    /// What a schedule is called, by whoever declares it and whoever looks after it.
    ScheduleName, "schedule name"
}

impl Default for QueueName {
    /// The queue named `default`.
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["ProcessData", "a", "billing:eu-1.v2_x", &"x".repeat(128)] {
            assert_eq!(JobName::new(name).expect("valid").as_str(), name);
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "x".repeat(129);
        for name in ["", "a b", "a;b", "a'b", "{}", "*", "a\r\nb", "a\0", "\u{202e}", "../x", "$where", "é", &long] {
            assert!(QueueName::new(name).is_err(), "{name:?} must be refused");
        }
    }

    #[test]
    fn a_name_is_checked_when_it_is_read_back() {
        assert!(serde_json::from_str::<JobName>("\"no spaces\"").is_err());
    }
}
