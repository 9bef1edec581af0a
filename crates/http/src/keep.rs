//! What is kept of a request for its handler: an allow-list of headers, the route values and the query values.

use axum::RequestPartsExt;
use axum::extract::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use axum::http::header::{HeaderMap, HeaderName};
use axum::http::request::Parts;
use windlass_core::limits::CONTEXT_BYTES_MAX;
use windlass_core::{Cause, ContextMap, CorrelationId, InvalidInput, RequestContext};

use crate::problem::{Code, Problem};

/// The headers kept unless the application adds more.
pub const KEPT_BY_DEFAULT: [&str; 6] =
    ["traceparent", "tracestate", "x-request-id", "x-correlation-id", "accept-language", "content-type"];

const NEVER: [&str; 6] =
    ["authorization", "authentication-info", "cookie", "cookie2", "set-cookie", "www-authenticate"];
const NEVER_PREFIXES: [&str; 3] = ["proxy-", "x-amz-", "x-amzn-"];
const NEVER_PARTS: [&str; 9] =
    ["api-key", "apikey", "authorization", "credential", "jwt", "password", "secret", "session", "token"];

/// Whether a header carries credentials, so that it is never kept, whoever asks.
fn is_secret(name: &str) -> bool {
    NEVER.contains(&name)
        || NEVER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || NEVER_PARTS.iter().any(|part| name.contains(part))
}

/// The allow-list.
#[derive(Clone, Debug)]
pub(crate) struct Keep(Vec<HeaderName>);

impl Default for Keep {
    fn default() -> Self {
        Self(KEPT_BY_DEFAULT.map(HeaderName::from_static).to_vec())
    }
}

impl Keep {
    /// Adds a header. Refuses what is no header name and what carries credentials.
    pub(crate) fn add(&mut self, name: &str) -> Result<(), InvalidInput> {
        let refuse = |why| InvalidInput::new("kept header", why);
        let name = HeaderName::try_from(name).map_err(|_| refuse("must be a header name"))?;
        if is_secret(name.as_str()) {
            return Err(refuse("must not carry credentials: those are never stored"));
        }
        if !self.0.contains(&name) {
            self.0.push(name);
        }
        Ok(())
    }

    /// What is kept of this request. Headers on the list only; every route and query value, so a secret in a query
    /// is stored like the rest of the input: credentials belong into headers.
    pub(crate) async fn context(&self, parts: &mut Parts) -> Result<RequestContext, Problem> {
        let raw_query = parts.uri.query().unwrap_or_default();
        // Checked first: decoding makes at most so much of it, so nobody can have a long query taken apart in vain.
        within(raw_query.len())?;
        let context = RequestContext {
            headers: self.headers(&parts.headers),
            query: query(raw_query),
            route: route(parts).await?,
        };
        within(size(&context))?;
        Ok(context)
    }

    fn headers(&self, headers: &HeaderMap) -> ContextMap<Vec<String>> {
        let mut kept = ContextMap::new();
        for name in self.0.iter().filter(|name| headers.contains_key(*name)) {
            let values = headers.get_all(name).iter();
            let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            kept.insert(name.as_str().to_owned(), texts.collect());
        }
        kept
    }
}

fn query(raw: &str) -> ContextMap<Vec<String>> {
    let mut values = ContextMap::<Vec<String>>::new();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
        values.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    values
}

async fn route(parts: &mut Parts) -> Result<ContextMap<String>, Problem> {
    match parts.extract::<RawPathParams>().await {
        Ok(values) => Ok(values.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        // Served without a router, so there is no pattern that could capture anything.
        Err(RawPathParamsRejection::MissingPathParams(_)) => Ok(ContextMap::new()),
        Err(_) => Err(Problem::new(Code::BadPath, "route values must be UTF-8")),
    }
}

fn within(bytes: usize) -> Result<(), Problem> {
    match bytes > CONTEXT_BYTES_MAX {
        true => Err(Problem::new(Code::ContextTooLarge, "kept headers, route and query values may have 16 KiB")),
        false => Ok(()),
    }
}

fn size(context: &RequestContext) -> usize {
    let lists = context.headers.iter().chain(&context.query);
    let listed: usize = lists.map(|(name, values)| name.len() + values.iter().map(String::len).sum::<usize>()).sum();
    listed + context.route.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

/// The caller's `traceparent` when it looks like one (W3C Trace Context, version 00): two, 32, 16 and two hex digits.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let lengths_fit = text.len() == 55 && text.split('-').map(str::len).eq([2, 32, 16, 2]);
    let digits_fit = text.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f'));
    (lengths_fit && digits_fit).then(|| text.to_owned())
}

/// What the caller's `X-Correlation-Id` begins. An id that is no UUID becomes one that everybody computes alike from it.
pub(crate) fn cause(headers: &HeaderMap) -> Option<Box<Cause>> {
    let text = headers.get("x-correlation-id")?.to_str().ok().filter(|text| !text.is_empty())?;
    let correlation = text.parse().unwrap_or_else(|_| CorrelationId::keyed(&[b"x-correlation-id", text.as_bytes()]));
    Some(Box::new(Cause::beginning(correlation)))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use axum::http::header::HeaderValue;

    use super::*;

    #[test]
    fn credentials_are_never_on_the_list_whatever_the_case() {
        for name in
            ["Authorization", "Cookie", "set-cookie", "Proxy-Authorization", "X-Api-Key", "X-Amz-Security-Token"]
        {
            assert!(Keep::default().add(name).is_err(), "{name}");
        }
        assert!(Keep::default().add("no spaces").is_err());
        assert!(Keep::default().add("X-Tenant").is_ok());
        assert!(KEPT_BY_DEFAULT.iter().all(|name| !is_secret(name)));
    }

    #[test]
    fn repeated_values_keep_their_order() {
        let mut headers = HeaderMap::new();
        headers.append("accept-language", HeaderValue::from_static("de"));
        headers.append("accept-language", HeaderValue::from_static("en"));
        headers.append("cookie", HeaderValue::from_static("canary"));
        let kept = Keep::default().headers(&headers);
        assert_eq!(kept.into_iter().collect::<Vec<_>>(), [("accept-language".into(), vec!["de".into(), "en".into()])]);
        let values = query("a=1&b=%C3%A9+x&a=2");
        assert_eq!(values.get("a"), Some(&vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(values.get("b"), Some(&vec!["é x".to_owned()]));
    }

    #[tokio::test]
    async fn a_long_query_is_refused_and_the_limit_itself_is_not() {
        for (length, fits) in [(CONTEXT_BYTES_MAX, true), (CONTEXT_BYTES_MAX + 1, false)] {
            let uri = format!("/?{}", "q".repeat(length));
            let (mut parts, ()) = Request::get(uri).body(()).expect("valid").into_parts();
            assert_eq!(Keep::default().context(&mut parts).await.is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn a_correlation_is_kept_as_it_is_or_computed_from_what_it_is() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-correlation-id", HeaderValue::from_static(text));
            cause(&headers).map(|cause| cause.correlation)
        };
        let id = "0192d3a0-0000-7000-8000-000000000000";
        assert_eq!(of(id), id.parse().ok());
        assert_eq!(of("checkout-17"), of("checkout-17"));
        assert_ne!(of("checkout-17"), of("checkout-18"));
        assert!(of("checkout-17").is_some() && of("").is_none() && cause(&HeaderMap::new()).is_none());
    }

    #[test]
    fn only_the_shape_of_a_traceparent_passes() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (text, passes) in [(good, true), ("00-xyz", false), (&good.to_uppercase(), false), (&good[1..], false)] {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_str(text).expect("valid"));
            assert_eq!(traceparent(&headers).is_some(), passes, "{text}");
        }
    }
}
