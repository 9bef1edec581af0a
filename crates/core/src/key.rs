//! Keys: whose work a job is, or on what.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::{InvalidInput, KEY_BYTES_MAX, KEYS_MAX};

/// Whose work a job is, or on what: `tenant:acme`, `document:42`. A job may have several keys, and rules hold for each.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

impl Key {
    /// A key of a kind, say `("tenant", "acme")`.
    ///
    /// # Errors
    ///
    /// When the kind is not made of letters, digits and `. _ -`, when the value is empty or has control characters, or when
    /// both have over 200 bytes.
    pub fn new(kind: impl AsRef<str>, value: impl fmt::Display) -> Result<Self, InvalidInput> {
        format!("{}:{value}", check_kind(kind.as_ref())?).try_into()
    }

    /// What its value is about: `tenant`.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// Whether its [kind](Self::kind) is this one, which has no colon, without looking for where its own ends.
    pub fn is_of(&self, kind: &str) -> bool {
        self.0.strip_prefix(kind).is_some_and(|rest| rest.starts_with(':'))
    }

    /// Kind and value: `tenant:acme`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The kind, if it is one.
pub(crate) fn check_kind(kind: &str) -> Result<&str, InvalidInput> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match kind.bytes().all(allowed) && !kind.is_empty() && kind.len() <= KEY_BYTES_MAX {
        true => Ok(kind),
        false => {
            Err(InvalidInput::new("kind of a key", "may contain only letters, digits and . _ -, and at least one"))
        }
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidInput;

    fn try_from(text: String) -> Result<Self, InvalidInput> {
        let invalid = |why| Err(InvalidInput::new("key", why));
        let Some((kind, value)) = text.split_once(':') else { return invalid("must be a kind, a colon and a value") };
        check_kind(kind)?;
        if value.is_empty() || value.chars().any(char::is_control) {
            return invalid("must have a value without control characters");
        }
        if text.len() > KEY_BYTES_MAX {
            return invalid("must have 200 bytes or less");
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for Key {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        text.to_owned().try_into()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().into()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The keys of one job, each once.
pub(crate) fn distinct(given: Vec<Result<Key, InvalidInput>>) -> Result<Vec<Key>, InvalidInput> {
    let mut keys = Vec::with_capacity(given.len());
    for key in given {
        let key = key?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    match keys.len() <= KEYS_MAX {
        true => Ok(keys),
        false => Err(InvalidInput::new("keys", "of a job must be 8 or fewer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_kind_and_a_value() {
        let key = Key::new("tenant", "ac:me 1").expect("valid");
        assert_eq!((key.kind(), key.as_str()), ("tenant", "tenant:ac:me 1"));
        assert!(key.is_of("tenant") && !["", "ten", "tenants"].iter().any(|kind| key.is_of(kind)));
        assert_eq!("tenant:ac:me 1".parse(), Ok(key));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(Key::new("tenant", "x".repeat(200)).is_err() && Key::new("te:nant", "x").is_err());
        assert!(Key::new("tenant", "a\nb").is_err() && Key::new("tenant", "").is_err() && Key::new("", "x").is_err());
        assert!("tenant".parse::<Key>().is_err());
    }

    #[test]
    fn a_job_has_each_key_once_and_not_too_many() {
        let key = |number: usize| Key::new("user", number);
        assert_eq!(distinct(vec![key(1), key(2), key(1)]).map(|keys| keys.len()), Ok(2));
        assert!(distinct((0..=KEYS_MAX).map(key).collect()).is_err());
    }
}
