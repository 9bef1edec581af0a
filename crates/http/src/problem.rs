//! Every way in which a request can be refused: code, status and title in one table, sent as RFC 9457 problem+json.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use windlass_core::JobError;
use windlass_engine::Error as EngineError;

/// The media type of a problem (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal $code:literal $title:literal;)*) => {
        /// What went wrong, for programs. The text of a code never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, in the order of its status.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status it is sent with.
            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Self::$name => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// The same few words each time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body cannot be read as the endpoint's input.
    BadInput = 400 "bad_input" "The body does not fit";
    /// The endpoint needs a body.
    EmptyBody = 400 "empty_body" "The body is empty";
    /// A header's value is not valid.
    BadHeader = 400 "bad_header" "A header is not valid";
    /// A query value is not valid.
    BadQuery = 400 "bad_query" "A query value is not valid";
    /// A route value is not UTF-8.
    BadPath = 400 "bad_path" "The path is not valid";
    /// The endpoint's validation refused the input.
    ValidationFailed = 400 "validation_failed" "Validation failed";
    /// The caller is not known.
    Unauthorized = 401 "unauthorized" "Not authenticated";
    /// The caller is known and may not do this.
    Forbidden = 403 "forbidden" "Not allowed";
    /// There is no such job, or it is somebody else's.
    JobNotFound = 404 "job_not_found" "Job not found";
    /// There is no such route.
    RouteNotFound = 404 "route_not_found" "Not found";
    /// The route exists for other methods.
    MethodNotAllowed = 405 "method_not_allowed" "Method not allowed";
    /// The body did not arrive in time.
    BodyTimeout = 408 "body_timeout" "The body came too slowly";
    /// The job has no result yet.
    JobNotFinished = 409 "job_not_finished" "The job has not finished";
    /// The job failed: there is no result, `error` says why.
    JobFailed = 409 "job_failed" "The job failed";
    /// The job cannot be canceled any more.
    JobFinished = 409 "job_already_finished" "The job has finished";
    /// A job that is the same was accepted in this period, and has been removed since.
    DuplicateRemoved = 409 "duplicate_removed" "The same job was accepted before";
    /// The job was canceled: there is no result.
    JobCanceled = 410 "job_canceled" "The job was canceled";
    /// The body is over the limit.
    BodyTooLarge = 413 "body_too_large" "The body is too large";
    /// The endpoint does not take this media type or content coding.
    UnsupportedMediaType = 415 "unsupported_media_type" "Unsupported media type";
    /// The `Idempotency-Key` was used for other work.
    KeyReused = 422 "idempotency_key_reused" "The idempotency key was used for another request";
    /// The `X-Async-Request-Id` was used for other work.
    RequestIdReused = 422 "request_id_reused" "The request id was used for another request";
    /// The job is not valid.
    InvalidJob = 422 "invalid_job" "The job is not valid";
    /// Too many requests.
    RateLimited = 429 "rate_limited" "Too many requests";
    /// As many jobs of this owner wait as may.
    OwnerFull = 429 "owner_full" "Too many of your jobs are waiting";
    /// The headers, route and query values to be kept are over the limit.
    ContextTooLarge = 431 "context_too_large" "The request's headers and query are too large";
    /// The queue is full.
    QueueFull = 503 "queue_full" "The queue is full";
    /// Too many requests wait in this process.
    Overloaded = 503 "overloaded" "Too busy";
    /// The store is away. Whether the job was stored is unknown: send the same request again.
    StoreUnavailable = 503 "store_unavailable" "Temporarily unavailable";
    /// The process is stopping.
    ShuttingDown = 503 "shutting_down" "Shutting down";
}

/// A refusal as clients see it. Never holds a stack trace or anything of the inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: Cow<'static, str>,
    status: StatusCode,
    title: &'static str,
    detail: Cow<'static, str>,
    retry_after: Option<u64>,
    error: Option<Box<JobError>>,
}

#[derive(Serialize)]
struct Wire<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a JobError>,
}

impl Problem {
    /// A problem of the table. `detail` is one sentence about this case, for people.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: code.as_str().into(),
            status: code.status(),
            title: code.title(),
            detail: detail.into(),
            retry_after: None,
            error: None,
        }
    }

    /// The same problem, worth another try after `span`, in whole seconds rounded up.
    pub fn retry_after(mut self, span: Duration) -> Self {
        self.retry_after = Some(span.as_secs() + u64::from(span.subsec_nanos() > 0));
        self
    }

    /// The same problem with a job's error in it.
    pub(crate) fn with_error(mut self, error: Option<JobError>) -> Self {
        self.error = error.map(Box::new);
        self
    }

    /// Its stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says about this case.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The body: `type`, `title`, `status`, `detail`, `code`, and `error` when a job's error is behind it.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            r#type: format!("urn:windlass:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            error: self.error.as_deref(),
        };
        serde_json::to_vec(&wire).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = HttpResponse::new(Body::from(self.to_json()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<&EngineError> for Problem {
    fn from(error: &EngineError) -> Self {
        let (code, detail): (_, Cow<'static, str>) = match error {
            EngineError::Invalid(invalid) => (Code::InvalidJob, invalid.to_string().into()),
            EngineError::Conflict { .. } => (Code::RequestIdReused, "a job of this id asks for other work".into()),
            EngineError::QueueFull { .. } => (Code::QueueFull, "too many jobs wait; nothing was stored".into()),
            EngineError::OwnerFull { .. } => {
                (Code::OwnerFull, "as many of your jobs wait as may; nothing was stored".into())
            }
            EngineError::OverRate { .. } => {
                (Code::RateLimited, "as many jobs were submitted as may be for now; nothing was stored".into())
            }
            EngineError::Busy => (Code::Overloaded, "too many requests wait; nothing was stored".into()),
            EngineError::ShuttingDown => (Code::ShuttingDown, "this process takes no more work".into()),
            _ => (
                Code::StoreUnavailable,
                "repeat the request later; with an Idempotency-Key it makes no second job".into(),
            ),
        };
        let problem = Self::new(code, detail);
        match problem.status.is_server_error()
            || matches!(error, EngineError::OverRate { .. } | EngineError::OwnerFull { .. })
        {
            true => problem.retry_after(error.retry_after()),
            false => problem,
        }
    }
}

/// What a validation hook or an owner extractor answers to refuse a request:
/// `Err(Rejection::bad_request("Priority must be between 1 and 5"))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection(Problem);

impl Rejection {
    /// `400`, code `validation_failed`.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Problem::new(Code::ValidationFailed, detail))
    }

    /// `422`, code `validation_failed`.
    pub fn unprocessable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Problem { status: StatusCode::UNPROCESSABLE_ENTITY, ..Problem::new(Code::ValidationFailed, detail) })
    }

    /// `401`, code `unauthorized`.
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Problem::new(Code::Unauthorized, detail))
    }

    /// `403`, code `forbidden`.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Problem::new(Code::Forbidden, detail))
    }

    /// `429` with `Retry-After`, code `rate_limited`.
    pub fn too_many_requests(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self(Problem::new(Code::RateLimited, detail).retry_after(retry_after))
    }

    /// `503` with `Retry-After`, code `overloaded`.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self(Problem::new(Code::Overloaded, detail).retry_after(retry_after))
    }

    /// The same refusal under the application's own code, in place of the table's.
    pub fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = code.into();
        self
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_snake_case_and_in_the_order_of_their_status() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(texts.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        assert!(Code::ALL.is_sorted_by_key(|code| code.status()));
        assert!(Code::ALL.iter().all(|code| code.status() != StatusCode::INTERNAL_SERVER_ERROR));
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_and_its_code() {
        let problem = Problem::new(Code::BadQuery, "wait must be a number");
        let expected = r#"{"type":"urn:windlass:problem:bad_query","title":"A query value is not valid","status":400,"detail":"wait must be a number","code":"bad_query"}"#;
        assert_eq!(String::from_utf8(problem.to_json()).expect("UTF-8"), expected);
    }

    #[test]
    fn a_store_failure_shows_nothing_of_the_inside() {
        let inner = windlass_store::Error::new(windlass_store::ErrorKind::Corrupt, "/var/lib/secret is damaged");
        let problem = Problem::from(&EngineError::from(inner));
        assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(!String::from_utf8(problem.to_json()).expect("UTF-8").contains("secret"));
        assert!((1..=5).contains(&problem.retry_after.expect("set")));
    }

    #[test]
    fn seconds_are_rounded_up() {
        let problem = Problem::new(Code::RateLimited, "x").retry_after(Duration::from_millis(1_001));
        assert_eq!(problem.retry_after, Some(2));
    }
}
