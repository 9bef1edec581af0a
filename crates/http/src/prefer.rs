//! The `Prefer` header (RFC 7240): whether a caller wants to wait for the result.

use std::time::Duration;

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};

/// The longest time that a request is held, whatever the caller asks for.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What the caller prefers. Preferences that are not understood are ignored, as the RFC says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefer {
    /// How long to wait for the result, at most [`WAIT_MAX`].
    pub(crate) wait: Option<Duration>,
    /// Whether `respond-async` was asked for, which is what happens anyway.
    pub(crate) respond_async: bool,
}

impl Prefer {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        for value in headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok()) {
            value.split(',').for_each(|preference| prefer.note(preference));
        }
        prefer
    }

    /// Notes one preference; of several alike the first counts.
    fn note(&mut self, preference: &str) {
        let without_parameters = preference.split(';').next().unwrap_or_default();
        let (name, value) = without_parameters.split_once('=').unwrap_or((without_parameters, ""));
        match name.trim() {
            name if name.eq_ignore_ascii_case("respond-async") => self.respond_async = true,
            name if name.eq_ignore_ascii_case("wait") => self.wait = self.wait.or_else(|| seconds(unquoted(value))),
            _ => {}
        }
    }

    /// The `Preference-Applied` that belongs into the answer.
    pub(crate) fn applied(self) -> Option<HeaderValue> {
        match self.wait {
            Some(wait) => HeaderValue::try_from(format!("wait={}", wait.as_secs())).ok(),
            None => self.respond_async.then(|| HeaderValue::from_static("respond-async")),
        }
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value)
}

/// A number of whole seconds, capped at [`WAIT_MAX`]; `None` when it is none.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = text.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_static(value));
        }
        Prefer::read(&headers)
    }

    #[test]
    fn waiting_is_read_in_every_form_and_capped() {
        let five = Some(Duration::from_secs(5));
        assert_eq!(read(&["wait=5"]).wait, five);
        assert_eq!(read(&["respond-async, WAIT = \"5\"; x=1"]).wait, five);
        assert_eq!(read(&["handling=lenient", "wait=5, wait=9"]).wait, five);
        assert_eq!(read(&["wait=99999999999999999999999"]).wait, Some(WAIT_MAX));
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for value in ["wait", "wait=", "wait=-1", "wait=1.5", "wait=soon", "waiting=5", "="] {
            assert_eq!(read(&[value]), Prefer::default(), "{value}");
        }
    }

    #[test]
    fn the_applied_preference_names_the_time_really_waited() {
        assert_eq!(read(&["wait=600"]).applied(), Some(HeaderValue::from_static("wait=30")));
        assert_eq!(read(&["respond-async"]).applied(), Some(HeaderValue::from_static("respond-async")));
        assert_eq!(read(&[]).applied(), None);
    }
}
