//! By what the jobs of an endpoint are unique.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::header::{HeaderMap, HeaderName};
use windlass_core::limits::UNIQUE_KEY_BYTES_MAX;
use windlass_core::payload::JSON;
use windlass_core::{InvalidInput, Unique};

use crate::identity::single;
use crate::problem::{Code, Problem};

/// Makes of a header's value what a job is unique by.
type Make = Arc<dyn Fn(&str) -> Unique + Send + Sync>;

/// By what a request's job is unique, if it is.
#[derive(Clone)]
pub(crate) enum Rule {
    /// The same for all requests.
    Always(Option<Unique>),
    /// By the value of a header; not at all without it. No name where what was given is none.
    ByHeader(Option<HeaderName>, Make),
}

impl Rule {
    pub(crate) fn by_header(name: &str, make: impl Fn(&str) -> Unique + Send + Sync + 'static) -> Self {
        Self::ByHeader(HeaderName::try_from(name).ok(), Arc::new(make))
    }

    /// Refuses what no request could satisfy, for bodies of this media type.
    pub(crate) fn check(&self, content_type: &str) -> Result<(), InvalidInput> {
        match self {
            Self::Always(None) | Self::ByHeader(Some(_), _) => Ok(()),
            Self::Always(Some(unique)) if unique.is_by_fields() && content_type != JSON => {
                Err(InvalidInput::new("unique fields", "can be taken from JSON input only"))
            }
            Self::Always(Some(unique)) => unique.check(),
            Self::ByHeader(None, _) => Err(InvalidInput::new("unique header", "must be a header name")),
        }
    }

    /// By what the job of a request with these headers is unique.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Result<Option<Cow<'_, Unique>>, Problem> {
        let (name, make) = match self {
            Self::Always(unique) => return Ok(unique.as_ref().map(Cow::Borrowed)),
            Self::ByHeader(None, _) => return Ok(None),
            Self::ByHeader(Some(name), make) => (name, make),
        };
        let Some(value) = single(headers, name)? else { return Ok(None) };
        let text = std::str::from_utf8(value).ok().filter(|text| {
            let visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            visible && (1..=UNIQUE_KEY_BYTES_MAX).contains(&text.len())
        });
        match text {
            Some(text) => Ok(Some(Cow::Owned(make(text)))),
            None => {
                let detail = format!("{name} must have 1 to {UNIQUE_KEY_BYTES_MAX} visible ASCII characters");
                Err(Problem::new(Code::BadHeader, detail))
            }
        }
    }

    /// The header that it looks at.
    pub(crate) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Always(_) => None,
            Self::ByHeader(name, _) => name.as_ref(),
        }
    }
}
