//! What a job carries and what it returns: bytes that Windlass never looks into.

use std::borrow::Cow;
use std::cell::Cell;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Raw bytes with their media type. The bytes are kept as they came, so a payload is parsed where it is used
/// and nowhere else; cloning shares them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The media type (RFC 9110, section 8.3), `application/json` for most.
    pub content_type: Cow<'static, str>,
    /// The bytes themselves.
    pub bytes: Bytes,
}

/// The media type of JSON (RFC 8259).
pub const JSON: &str = "application/json";

/// Larger payloads keep the memory they were written to.
const SCRATCH_MAX: usize = 16 << 10;

thread_local! {
    /// Where JSON is written before its length is known: payloads stay for long, so they get as many bytes as they have.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Payload {
    /// A payload of any kind.
    pub fn new(content_type: impl Into<Cow<'static, str>>, bytes: impl Into<Bytes>) -> Self {
        Self { content_type: content_type.into(), bytes: bytes.into() }
    }

    /// No bytes at all, for a job without input or a handler without output.
    pub fn empty() -> Self {
        Self::new("", Bytes::new())
    }

    /// `value` as JSON. Errors when its `Serialize` does.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        let mut bytes = SCRATCH.take();
        serde_json::to_writer(&mut bytes, value)?;
        if bytes.len() > SCRATCH_MAX {
            return Ok(Self::new(JSON, bytes));
        }
        let payload = Self::new(JSON, Bytes::copy_from_slice(&bytes));
        bytes.clear();
        SCRATCH.set(bytes);
        Ok(payload)
    }

    /// Reads the bytes as JSON, with serde_json's depth limit of 128.
    pub fn parse_json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.bytes)
    }

    /// Whether the media type says JSON: `application/json`, or a `+json` type such as `application/problem+json`.
    pub fn is_json(&self) -> bool {
        is_json(&self.content_type)
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Whether a media type, with or without parameters, is JSON.
pub fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(JSON) || essence.to_ascii_lowercase().ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_in_and_comes_out() {
        let payload = Payload::json(&vec![1, 2]).expect("serialises");
        assert_eq!(payload.parse_json::<Vec<u8>>().expect("parses"), [1, 2]);
    }

    #[test]
    fn json_of_any_size_is_written_whole_even_inside_other_json() {
        struct Nested(usize);
        impl Serialize for Nested {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let inner = Payload::json(&"x".repeat(self.0)).map_err(serde::ser::Error::custom)?;
                serializer.serialize_u64(inner.len() as u64)
            }
        }
        for size in [0, 100, SCRATCH_MAX, 3 * SCRATCH_MAX, 1] {
            let written = Payload::json(&[Nested(size), Nested(1)]).expect("serialises");
            assert_eq!(written.parse_json::<[usize; 2]>().expect("parses"), [size + 2, 3]);
        }
    }

    #[test]
    fn media_types_are_read_without_their_parameters() {
        assert!(is_json("Application/JSON; charset=utf-8"));
        assert!(is_json("application/problem+json"));
        assert!(!is_json("text/json-like"));
    }

    #[test]
    fn nesting_beyond_128_is_an_error_not_a_stack_overflow() {
        let deep = "[".repeat(100_000);
        assert!(Payload::new(JSON, deep).parse_json::<serde_json::Value>().is_err());
    }
}
