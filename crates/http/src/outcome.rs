//! A job's outcome as an answer: the handler's own bytes, or why there are none.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::Response;
use windlass_core::payload::is_json;
use windlass_core::{Job, Payload, Status};

use crate::problem::{Code, Problem};
use crate::responses::COME_BACK;

/// Media types that a browser may show: none of them can run a script in the API's origin.
const SHOWN: [&str; 3] = ["text/plain", "text/csv", "text/markdown"];

/// `200` with the result, `204` when the handler returned none, or the problem: not finished or failed (`409`),
/// canceled (`410`).
pub(crate) fn outcome(job: Job) -> Result<Response, Problem> {
    match job.status {
        Status::Completed => Ok(result(job.result.unwrap_or_else(Payload::empty))),
        Status::Failed => Err(Problem::new(Code::JobFailed, "the job gave up; error says why").with_error(job.error)),
        Status::Canceled => Err(Problem::new(Code::JobCanceled, "the job was canceled before it had a result")),
        Status::Queued | Status::Scheduled | Status::InProgress => {
            Err(Problem::new(Code::JobNotFinished, "there is no result yet").retry_after(COME_BACK))
        }
    }
}

fn result(payload: Payload) -> Response {
    if payload.is_empty() && payload.content_type.is_empty() {
        let mut response = HttpResponse::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let content_type = HeaderValue::try_from(payload.content_type.as_ref());
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let shown = content_type.to_str().is_ok_and(is_shown);
    let mut response = HttpResponse::new(Body::from(payload.bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !shown {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
        headers.insert(
            HeaderName::from_static("content-security-policy"),
            HeaderValue::from_static("default-src 'none'; sandbox"),
        );
    }
    response
}

fn is_shown(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    is_json(content_type) || SHOWN.iter().any(|shown| shown.eq_ignore_ascii_case(essence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_could_run_is_an_attachment() {
        for (content_type, inline) in [
            ("application/json", true),
            ("application/ld+json", true),
            ("Text/Plain; charset=utf-8", true),
            ("text/html", false),
            ("image/svg+xml", false),
            ("application/octet-stream", false),
            ("text/plain\r\nX: y", false),
        ] {
            let response = result(Payload::new(content_type.to_owned(), "x"));
            assert_eq!(response.headers().get(CONTENT_DISPOSITION).is_none(), inline, "{content_type}");
            assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }

    #[test]
    fn no_result_is_no_content() {
        assert_eq!(result(Payload::empty()).status(), StatusCode::NO_CONTENT);
        assert_eq!(result(Payload::new("text/plain", "")).status(), StatusCode::OK);
    }
}
