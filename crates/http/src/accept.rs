//! Takes a request's body in: size, media type, shape, each with its own refusal, and nothing read in vain.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use windlass_core::Payload;
use windlass_core::limits::CONTENT_TYPE_BYTES_MAX;
use windlass_core::payload::JSON;
use windlass_dispatch::Input;

use crate::problem::{Code, Problem};

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// The deepest nesting of JSON. serde_json refuses more where it builds values; this also covers what it skips.
const DEPTH_MAX: usize = 128;

/// What came in: the bytes to store, and what they mean.
pub(crate) struct Accepted<I> {
    pub(crate) payload: Payload,
    pub(crate) input: I,
}

/// Refuses by the headers alone what can be refused by them, before a byte of the body is read. Gives the media type.
pub(crate) fn head<I: Input>(headers: &HeaderMap, bytes_max: usize) -> Result<Cow<'static, str>, Problem> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    if I::CONTENT_TYPE.is_empty() {
        return Ok("".into());
    }
    let coding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes());
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(Code::UnsupportedMediaType, "send the body without Content-Encoding"));
    }
    media_type::<I>(headers)
}

fn media_type<I: Input>(headers: &HeaderMap) -> Result<Cow<'static, str>, Problem> {
    let wrong = || Problem::new(Code::UnsupportedMediaType, format!("the Content-Type must be {}", I::CONTENT_TYPE));
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let sent = match (values.next(), values.next()) {
        (None, _) => "",
        (Some(value), None) => value.to_str().map_err(|_| wrong())?,
        (Some(_), Some(_)) => return Err(wrong()),
    };
    if !I::accepts(sent) || sent.len() > CONTENT_TYPE_BYTES_MAX {
        return Err(wrong());
    }
    Ok(match sent {
        "" => I::CONTENT_TYPE.into(),
        JSON => JSON.into(),
        other => other.to_owned().into(),
    })
}

/// Reads the body as `I`. A job without input ignores what is sent, within the limit.
pub(crate) async fn body<I: Input>(
    body: Body,
    content_type: Cow<'static, str>,
    bytes_max: usize,
) -> Result<Accepted<I>, Problem> {
    let bytes = collect(body, bytes_max).await?;
    let payload = match I::CONTENT_TYPE.is_empty() {
        true => Payload::empty(),
        false => Payload { content_type, bytes },
    };
    if payload.is_json() {
        check_json(&payload.bytes)?;
    }
    match I::read(&payload) {
        Ok(input) => Ok(Accepted { payload, input }),
        Err(error) => Err(Problem::new(Code::BadInput, error.into_described().message)),
    }
}

/// A small body is a slice of its connection's read buffer, and a stored job would keep all of that alive.
fn detached(bytes: Bytes) -> Bytes {
    if bytes.len() < 8_192 { Bytes::copy_from_slice(&bytes) } else { bytes }
}

async fn collect(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match tokio::time::timeout(BODY_PATIENCE, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(detached(collected.to_bytes())),
        Ok(Err(error)) if is_length_limit(&*error) => Err(too_large(bytes_max)),
        Ok(Err(_)) => Err(Problem::new(Code::BadInput, "the body broke off")),
        Err(_) => Err(Problem::new(Code::BodyTimeout, "the body must arrive within 30 seconds")),
    }
}

fn is_length_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<LengthLimitError>())
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("the body may have {bytes_max} bytes"))
}

/// What serde_json does not check in values that it skips: encoding and depth. The bytes are kept as they came and
/// read again elsewhere, so all of them must be sound.
fn check_json(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(Code::EmptyBody, "this endpoint needs a JSON body"));
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(Problem::new(Code::BadInput, "JSON must be UTF-8"));
    }
    match is_deeper(bytes, DEPTH_MAX) {
        true => Err(Problem::new(Code::BadInput, "JSON may be nested 128 levels deep")),
        false => Ok(()),
    }
}

/// Whether brackets outside of strings nest deeper than `max`. What does is not read to its end.
fn is_deeper(json: &[u8], max: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' if depth == max => return true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    false
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::{HeaderName, HeaderValue};
    use serde_json::Value;
    use windlass_dispatch::{Binary, Json, NoInput, Text};

    use super::*;

    fn refused<I: Input>(headers: &[(HeaderName, &'static str)]) -> Option<u16> {
        let pairs = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        map.extend(pairs);
        head::<I>(&map, 10).err().map(|problem| problem.status().as_u16())
    }

    #[test]
    fn headers_alone_refuse_sizes_types_and_codings() {
        assert_eq!(refused::<Json<Value>>(&[]), Some(415));
        assert_eq!(refused::<Json<Value>>(&[(CONTENT_TYPE, "application/json")]), None);
        assert_eq!(refused::<Json<Value>>(&[(CONTENT_TYPE, JSON), (CONTENT_TYPE, JSON)]), Some(415));
        assert_eq!(refused::<Json<Value>>(&[(CONTENT_TYPE, JSON), (CONTENT_LENGTH, "11")]), Some(413));
        assert_eq!(refused::<Json<Value>>(&[(CONTENT_TYPE, JSON), (CONTENT_LENGTH, "10")]), None);
        assert_eq!(refused::<Json<Value>>(&[(CONTENT_TYPE, JSON), (CONTENT_ENCODING, "gzip")]), Some(415));
        assert_eq!(refused::<Text>(&[]), Some(415));
        assert_eq!(refused::<Binary>(&[]), None);
        assert_eq!(refused::<NoInput>(&[(CONTENT_TYPE, "anything/goes")]), None);
        assert_eq!(refused::<NoInput>(&[(CONTENT_LENGTH, "4294967297")]), Some(413));
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let depth = |json: &[u8]| (0..9).find(|max| !is_deeper(json, *max)).expect("nine levels will do");
        assert_eq!(depth(br#"{"a":["[[[\"[[",{}]}"#), 3);
        assert_eq!(depth(br#""never closed [[["#), 0);
        assert_eq!(depth(b"]]]["), 1);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        tokio::time::pause();
        let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let problem = collect(Body::from_stream(endless), 10).await.expect_err("gives up");
        assert_eq!(problem.code(), "body_timeout");
    }
}
