//! The four answers that an application can replace.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::{IntoResponse, Response};
use windlass_core::payload::JSON;
use windlass_engine::Error as EngineError;

use crate::problem::{Code, Problem};
use crate::view::JobView;

/// Carries the job's id in the answer to a submission.
pub const ASYNC_JOB_ID: HeaderName = HeaderName::from_static("async-job-id");

/// Carries, in the answer to a submission that did not just make a new job, what it did: `existing` (the id or key had this job
/// already), `duplicate` (this job, which stood before, is the same) or `replaced` (the job is new, and has taken the place of one
/// that was the same).
pub const ASYNC_JOB_OUTCOME: HeaderName = HeaderName::from_static("async-job-outcome");

/// There is no such job, or the caller may not see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFound;

impl IntoResponse for NotFound {
    fn into_response(self) -> Response {
        Problem::new(Code::JobNotFound, "there is no job of this id").into_response()
    }
}

type JobFactory = Option<Arc<dyn Fn(&JobView<'_>, &Parts) -> Response + Send + Sync>>;
type StatusFactory = Option<Arc<dyn Fn(Result<&JobView<'_>, NotFound>, &Parts) -> Response + Send + Sync>>;
type ProblemFactory = Option<Arc<dyn Fn(&Problem, &Parts) -> Response + Send + Sync>>;
type ErrorFactory = Option<Arc<dyn Fn(&EngineError, &Parts) -> Response + Send + Sync>>;

/// Replaces answers: each method takes a function of what happened and of the request's parts. What is not replaced
/// answers `202`, `200` or `404`, and problem+json.
///
/// ```
/// use axum::Json;
/// use windlass_http::Responses;
///
/// let responses = Responses::default().submitted(|job, _request| Json(job.location()));
/// # drop(responses);
/// ```
#[derive(Clone, Default)]
pub struct Responses {
    submitted: JobFactory,
    status: StatusFactory,
    submission_error: ProblemFactory,
    exception: ErrorFactory,
}

impl Responses {
    /// The answer to a submission that was taken. Default `202` with `Location`, `Async-Job-Id`, `Retry-After`.
    pub fn submitted<F, R>(mut self, answer: F) -> Self
    where
        F: Fn(&JobView<'_>, &Parts) -> R + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.submitted = Some(Arc::new(move |job, parts| answer(job, parts).into_response()));
        self
    }

    /// The answer to a question for a job. Default `200`, or `404` as problem+json.
    pub fn status<F, R>(mut self, answer: F) -> Self
    where
        F: Fn(Result<&JobView<'_>, NotFound>, &Parts) -> R + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.status = Some(Arc::new(move |job, parts| answer(job, parts).into_response()));
        self
    }

    /// The answer to a submission that was refused: bad input, wrong media type, too large, queue full, ….
    pub fn submission_error<F, R>(mut self, answer: F) -> Self
    where
        F: Fn(&Problem, &Parts) -> R + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.submission_error = Some(Arc::new(move |problem, parts| answer(problem, parts).into_response()));
        self
    }

    /// The answer when the store or the engine fails. The error's text is for operators: do not send it.
    pub fn exception<F, R>(mut self, answer: F) -> Self
    where
        F: Fn(&EngineError, &Parts) -> R + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.exception = Some(Arc::new(move |error, parts| answer(error, parts).into_response()));
        self
    }

    pub(crate) fn answer_submitted(&self, job: &JobView<'_>, parts: &Parts) -> Response {
        match &self.submitted {
            Some(answer) => answer(job, parts),
            None => accepted(job),
        }
    }

    pub(crate) fn answer_status(&self, job: Result<&JobView<'_>, NotFound>, parts: &Parts) -> Response {
        match (&self.status, job) {
            (Some(answer), job) => answer(job, parts),
            (None, Ok(job)) => json(StatusCode::OK, job),
            (None, Err(missing)) => missing.into_response(),
        }
    }

    pub(crate) fn answer_problem(&self, problem: Problem, parts: &Parts) -> Response {
        match &self.submission_error {
            Some(answer) => answer(&problem, parts),
            None => problem.into_response(),
        }
    }

    pub(crate) fn answer_exception(&self, error: &EngineError, parts: &Parts) -> Response {
        // The client is not told, so the operator must be.
        tracing::warn!(%error, "a request was answered with 503");
        match &self.exception {
            Some(answer) => answer(error, parts),
            None => Problem::from(error).into_response(),
        }
    }
}

/// A job as the body.
pub(crate) fn json(status: StatusCode, job: &JobView<'_>) -> Response {
    let mut response = HttpResponse::new(Body::from(job.to_json()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

/// When to ask again for a job that has not finished.
pub(crate) const COME_BACK: Duration = Duration::from_secs(1);

/// Asks to come back after [`COME_BACK`], unless the answer says something else already.
pub(crate) fn come_back(headers: &mut HeaderMap) {
    headers.entry(RETRY_AFTER).or_insert(HeaderValue::from(COME_BACK.as_secs()));
}

/// Sets a header whose value is made of checked parts; what is no header value after all is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn accepted(job: &JobView<'_>) -> Response {
    let mut response = json(StatusCode::ACCEPTED, job);
    let headers = response.headers_mut();
    set(headers, LOCATION, job.location());
    set(headers, ASYNC_JOB_ID, job.id.to_string());
    come_back(headers);
    response
}
