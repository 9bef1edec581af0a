//! Which job a request is about to make: a fresh one, the one that its id names, or the one that its key names.

use axum::http::header::{HeaderMap, HeaderName};
use axum::http::request::Parts;
use windlass_core::{Clock, JobId, Owner, SystemClock};

use crate::problem::{Code, Problem};

/// The seeds' header: its UUID becomes the job's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-async-request-id");
/// The header of the IETF draft "The Idempotency-Key HTTP Header Field".
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest `Idempotency-Key`, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Where a job's id comes from, which decides what its reuse is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Fresh,
    Given(JobId),
    Keyed(JobId),
}

impl Identity {
    /// Reads the two headers. A key counts for one owner, one method and one route: elsewhere it is another key.
    pub(crate) fn read(parts: &Parts, owner: Option<&Owner>, route: &str) -> Result<Self, Problem> {
        let id = single(&parts.headers, &REQUEST_ID)?;
        let key = single(&parts.headers, &IDEMPOTENCY_KEY)?;
        match (id, key) {
            (None, None) => Ok(Self::Fresh),
            (Some(id), None) => given(id),
            (None, Some(key)) => keyed(key, parts, owner, route),
            (Some(_), Some(_)) => {
                Err(Problem::new(Code::BadHeader, "send either X-Async-Request-Id or Idempotency-Key, not both"))
            }
        }
    }

    /// The id to submit under.
    pub(crate) fn id(self) -> JobId {
        match self {
            Self::Fresh => JobId::generate(SystemClock.now()),
            Self::Given(id) | Self::Keyed(id) => id,
        }
    }

    /// Whether nobody but this process has named the id.
    pub(crate) fn is_fresh(self) -> bool {
        self == Self::Fresh
    }

    /// What to answer when the id stands for other work.
    pub(crate) fn reused(self) -> Problem {
        match self {
            Self::Keyed(_) => Problem::new(
                Code::KeyReused,
                "this Idempotency-Key came with another body, route or query before; use a new one",
            ),
            Self::Fresh | Self::Given(_) => {
                Problem::new(Code::RequestIdReused, "this X-Async-Request-Id names a job that asks for other work")
            }
        }
    }
}

/// The value of a header that may come once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(|value| value.as_bytes())),
        _ => Err(Problem::new(Code::BadHeader, format!("{name} must come once"))),
    }
}

fn given(value: &[u8]) -> Result<Identity, Problem> {
    let id: Option<JobId> = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    let id = id.ok_or_else(|| Problem::new(Code::BadHeader, "X-Async-Request-Id must be a UUID"))?;
    // Ids of version 8 are made from idempotency keys and parent jobs: nobody may take another's in advance.
    match id.as_uuid().get_version_num() {
        8 => Err(Problem::new(Code::BadHeader, "X-Async-Request-Id must not be a UUID of version 8")),
        _ => Ok(Identity::Given(id)),
    }
}

fn keyed(value: &[u8], parts: &Parts, owner: Option<&Owner>, route: &str) -> Result<Identity, Problem> {
    let key = unquoted(value);
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.iter().all(u8::is_ascii_graphic) {
        return Err(Problem::new(Code::BadHeader, "Idempotency-Key must have 1 to 255 visible ASCII characters"));
    }
    let owner = owner.map(Owner::as_str).unwrap_or_default();
    let scope = [owner.as_bytes(), parts.method.as_str().as_bytes(), route.as_bytes()];
    Ok(Identity::Keyed(JobId::keyed(&[b"idempotency", scope[0], scope[1], scope[2], key])))
}

/// The draft makes the key a structured-field string in quotes; many clients send it bare. Both name the same key.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Request};

    use super::*;

    fn read(method: Method, headers: &[(&str, &[u8])], owner: Option<&str>, route: &str) -> Result<Identity, Problem> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("valid").into_parts();
        let owner = owner.map(|owner| Owner::new(owner).expect("valid"));
        Identity::read(&parts, owner.as_ref(), route)
    }

    fn key(key: &[u8]) -> Result<Identity, Problem> {
        read(Method::POST, &[("idempotency-key", key)], None, "/a")
    }

    #[test]
    fn a_key_counts_for_one_owner_method_and_route() {
        let mine = key(b"k").expect("valid");
        let header: &[(&str, &[u8])] = &[("idempotency-key", b"k")];
        assert_eq!(mine, read(Method::POST, header, None, "/a").expect("valid"));
        assert_ne!(mine, read(Method::PUT, header, None, "/a").expect("valid"));
        assert_ne!(mine, read(Method::POST, header, None, "/b").expect("valid"));
        assert_ne!(mine, read(Method::POST, header, Some("ada"), "/a").expect("valid"));
    }

    #[test]
    fn quotes_around_a_key_do_not_count() {
        assert_eq!(key(b"\"k\""), key(b"k"));
    }

    #[test]
    fn hostile_keys_are_refused() {
        let long = [b'x'; 256];
        for hostile in [&b""[..], b"\"\"", b"a b", b"a\tb", b"\xff", "é".as_bytes(), &long] {
            assert_eq!(key(hostile).expect_err("refused").code(), "bad_header", "{hostile:?}");
        }
        assert!(key(&long[..255]).is_ok());
    }

    #[test]
    fn a_request_id_must_be_one_uuid() {
        let id = b"5b7e0e4a-8f8b-4c8a-9f1f-8d8f8e8f8e8f";
        let given = read(Method::POST, &[("x-async-request-id", id)], None, "/a").expect("valid");
        assert_eq!(given.id().to_string().as_bytes(), id);
        let bad: [&[(&str, &[u8])]; 3] = [
            &[("x-async-request-id", b"1; drop table")],
            &[("x-async-request-id", id), ("x-async-request-id", id)],
            &[("x-async-request-id", id), ("idempotency-key", b"k")],
        ];
        for headers in bad {
            assert!(read(Method::POST, headers, None, "/a").is_err(), "{headers:?}");
        }
    }
}
