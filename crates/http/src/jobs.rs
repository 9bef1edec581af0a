//! The routes on which a job is followed, fetched and canceled.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{RequestPartsExt, Router};
use windlass_core::JobId;
use windlass_store::Canceled;

use crate::outcome::outcome;
use crate::prefer::seconds;
use crate::problem::{Code, Problem};
use crate::responses::{come_back, json, set};
use crate::shared::{Refusal, Shared};
use crate::view::JobView;

/// `GET` and `DELETE {prefix}/{job_id}`, `GET {prefix}/{job_id}/result`.
pub(crate) fn routes(shared: Arc<Shared>, prefix: &str) -> Router {
    Router::new()
        .route(&format!("{prefix}/{{job_id}}"), get(status).delete(cancel))
        .route(&format!("{prefix}/{{job_id}}/result"), get(result))
        .with_state(shared)
}

async fn status(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let answer = show(&shared, &mut parts).await;
    finish(answer, &shared, &parts)
}

async fn result(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let answer = fetch(&shared, &mut parts).await;
    finish(answer, &shared, &parts)
}

async fn cancel(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let answer = stop(&shared, &mut parts).await;
    finish(answer, &shared, &parts)
}

/// Every answer about a job is the caller's own and out of date soon.
fn finish(answer: Result<Response, Refusal>, shared: &Shared, parts: &Parts) -> Response {
    let mut response = answer.unwrap_or_else(|refusal| shared.refuse(refusal, parts));
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    response
}

async fn show(shared: &Shared, parts: &mut Parts) -> Result<Response, Refusal> {
    let scope = shared.scope(parts)?;
    let patience = patience(parts)?;
    let job = shared.look(job_id(parts).await?, &scope, patience).await?;
    let view = JobView::of(&job, &shared.jobs);
    let etag = view.etag();
    let mut response = match matches(&parts.headers, &etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => shared.responses.answer_status(Ok(&view), parts),
    };
    set(response.headers_mut(), ETAG, etag);
    if !job.status.is_finished() {
        come_back(response.headers_mut());
    }
    Ok(response)
}

async fn fetch(shared: &Shared, parts: &mut Parts) -> Result<Response, Refusal> {
    let scope = shared.scope(parts)?;
    let patience = patience(parts)?;
    let job = shared.look(job_id(parts).await?, &scope, patience).await?;
    Ok(outcome(job)?)
}

async fn stop(shared: &Shared, parts: &mut Parts) -> Result<Response, Refusal> {
    let scope = shared.scope(parts)?;
    let id = job_id(parts).await?;
    match shared.engine.cancel(id, &scope).await?.ok_or(Refusal::NotFound)? {
        Canceled::Done(job) => Ok(json(StatusCode::OK, &JobView::of(&job, &shared.jobs))),
        Canceled::Requested(job) => {
            let mut response = json(StatusCode::ACCEPTED, &JobView::of(&job, &shared.jobs));
            come_back(response.headers_mut());
            Ok(response)
        }
        Canceled::TooLate(job) => {
            Err(Problem::new(Code::JobFinished, format!("the job is {} and stays so", job.status)).into())
        }
    }
}

/// The id in the path. What is no id names no job.
async fn job_id(parts: &mut Parts) -> Result<JobId, Refusal> {
    let values = parts.extract::<RawPathParams>().await.map_err(|_| Refusal::NotFound)?;
    let text = values.iter().find(|(name, _)| *name == "job_id").map(|(_, value)| value);
    text.and_then(|text| text.parse().ok()).ok_or(Refusal::NotFound)
}

/// `?wait=N`, in seconds.
fn patience(parts: &Parts) -> Result<Option<Duration>, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let Some((_, wait)) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "wait") else {
        return Ok(None);
    };
    let patience =
        seconds(&wait).ok_or_else(|| Problem::new(Code::BadQuery, "wait must be a whole number of seconds"))?;
    Ok(Some(patience))
}

/// Whether the caller has this state already: `If-None-Match` (RFC 9110, section 13.1.2), compared weakly.
fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(','));
    tags.any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        for (sent, expected) in [
            ("W/\"1\"", true),
            ("\"1\"", true),
            ("\"0\", W/\"1\"", true),
            ("*", true),
            ("W/\"2\"", false),
            ("1", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(sent));
            assert_eq!(matches(&headers, "W/\"1\""), expected, "{sent}");
        }
        assert!(!matches(&HeaderMap::new(), "W/\"1\""));
    }
}
