//! What a handler's arguments may be, and how they are read from the attempt.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_core::payload::{JSON, is_json};
use windlass_core::{ErrorClass, JobError, Payload, RequestContext};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::states::Needs;

/// An argument of a handler, read from the attempt's [`Context`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a job handler",
    label = "not an extractor",
    note = "write Context, State<S>, Headers, Route, Query, Request or Attempt, or implement `FromContext` for your type",
    note = "for a value that the application shares, write `State<{Self}>`",
    note = "for the input, write Json<T>, Text, Binary or NoInput as the first argument, by that name and not by an alias"
)]
pub trait FromContext: Sized + Send {
    /// Reads the argument. An error fails the attempt.
    fn from_context(cx: &Context) -> Result<Self>;

    /// Notes what the argument needs of the application, so that its absence is an error at build.
    fn needs(_needs: &mut Needs) {}
}

/// The one argument that comes from the job's payload.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a job",
    label = "not an input",
    note = "the input is the first argument: Json<T>, Text or Binary; leave it out for a job without input"
)]
pub trait Input: Sized + Send + 'static {
    /// The media type that the input is sent as; empty for a job without input.
    const CONTENT_TYPE: &'static str;

    /// Whether a body of this media type can be the input.
    fn accepts(content_type: &str) -> bool;

    /// Reads the payload. Errors are permanent: the same bytes will never do.
    fn read(payload: &Payload) -> Result<Self>;
}

/// An input that can be made from a value, for callers in Rust.
pub trait Encode: Input {
    /// What the caller passes.
    type Value;

    /// The payload for `value`.
    fn encode(value: Self::Value) -> Result<Payload>;
}

fn bad_input(error: &dyn std::error::Error) -> Error {
    Error::new(ErrorClass::Permanent, JobError::from_error(JobError::BAD_INPUT, error))
}

/// JSON, in and out (RFC 8259).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> Input for Json<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn accepts(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn read(payload: &Payload) -> Result<Self> {
        payload.parse_json().map(Self).map_err(|error| bad_input(&error))
    }
}

impl<T: DeserializeOwned + Serialize + Send + 'static> Encode for Json<T> {
    type Value = T;

    fn encode(value: T) -> Result<Payload> {
        Ok(Payload::json(&value)?)
    }
}

/// UTF-8 text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub String);

impl Input for Text {
    const CONTENT_TYPE: &'static str = "text/plain; charset=utf-8";

    fn accepts(content_type: &str) -> bool {
        content_type.trim_start().to_ascii_lowercase().starts_with("text/")
    }

    fn read(payload: &Payload) -> Result<Self> {
        let text = std::str::from_utf8(&payload.bytes).map_err(|error| bad_input(&error))?;
        Ok(Self(text.to_owned()))
    }
}

impl Encode for Text {
    type Value = String;

    fn encode(value: String) -> Result<Payload> {
        Ok(Payload::new(Self::CONTENT_TYPE, value))
    }
}

/// Bytes of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binary(pub Bytes);

impl Input for Binary {
    const CONTENT_TYPE: &'static str = "application/octet-stream";

    fn accepts(_content_type: &str) -> bool {
        true
    }

    fn read(payload: &Payload) -> Result<Self> {
        Ok(Self(payload.bytes.clone()))
    }
}

impl Encode for Binary {
    type Value = Bytes;

    fn encode(value: Bytes) -> Result<Payload> {
        Ok(Payload::new(Self::CONTENT_TYPE, value))
    }
}

/// The input of a job that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoInput;

impl Input for NoInput {
    const CONTENT_TYPE: &'static str = "";

    fn accepts(_content_type: &str) -> bool {
        true
    }

    fn read(_payload: &Payload) -> Result<Self> {
        Ok(Self)
    }
}

impl Encode for NoInput {
    type Value = ();

    fn encode((): ()) -> Result<Payload> {
        Ok(Payload::empty())
    }
}

impl FromContext for Context {
    fn from_context(cx: &Context) -> Result<Self> {
        Ok(cx.clone())
    }
}

/// A value that the application shares with its handlers.
#[derive(Clone, Copy, Debug)]
pub struct State<S>(pub S);

impl<S: Clone + Send + Sync + 'static> FromContext for State<S> {
    fn from_context(cx: &Context) -> Result<Self> {
        cx.states().borrow::<S>().cloned().map(Self)
    }

    fn needs(needs: &mut Needs) {
        needs.add::<S>();
    }
}

/// Which attempt this is, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(pub u32);

impl FromContext for Attempt {
    fn from_context(cx: &Context) -> Result<Self> {
        Ok(Self(cx.attempt()))
    }
}

/// All that was kept of the HTTP request behind the job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request(pub RequestContext);

impl FromContext for Request {
    fn from_context(cx: &Context) -> Result<Self> {
        Ok(Self(cx.request().clone()))
    }
}

macro_rules! part_of_request {
    ($(#[$doc:meta])* $name:ident, $field:ident: $values:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub windlass_core::ContextMap<$values>);

        impl FromContext for $name {
            fn from_context(cx: &Context) -> Result<Self> {
                Ok(Self(cx.request().$field.clone()))
            }
        }
    };
}

part_of_request! {
    /// The request's headers that the allow-list kept, by lower-case name.
    Headers, headers: Vec<String>
}

part_of_request! {
    /// The values that the route pattern captured, by name.
    Route, route: String
}

part_of_request! {
    /// The request's query values, by name.
    Query, query: Vec<String>
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_the_wrong_shape_is_permanent_bad_input() {
        let error = Json::<u8>::read(&Payload::new(JSON, "\"text\"")).expect_err("not a number");
        assert_eq!(error.class(), ErrorClass::Permanent);
        assert_eq!(error.described().code, JobError::BAD_INPUT);
    }

    #[test]
    fn text_must_be_utf_8() {
        assert!(Text::read(&Payload::new("text/plain", vec![0xff])).is_err());
    }

    #[test]
    fn inputs_take_their_own_media_types_only() {
        assert!(Json::<u8>::accepts("application/json; charset=utf-8"));
        assert!(!Json::<u8>::accepts("text/plain"));
        assert!(Text::accepts("text/markdown"));
        assert!(!Text::accepts("application/json"));
    }
}
