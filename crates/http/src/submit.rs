//! A request becomes a job: what the four verbs of an endpoint do.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CONTENT_LOCATION, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use windlass_core::{Clock, Owner};
use windlass_core::{InvalidInput, JobId, NewJob, Payload, SystemClock};
use windlass_dispatch::{Handler, Input};
use windlass_engine::Error as EngineError;
use windlass_store::{SubmitOutcome, Submitted};

use crate::accept;
use crate::identity::Identity;
use crate::keep::{cause, traceparent};
use crate::outcome::outcome;
use crate::owner::scope;
use crate::prefer::{PREFERENCE_APPLIED, Prefer};
use crate::problem::{Code, Problem};
use crate::responses::{ASYNC_JOB_ID, ASYNC_JOB_OUTCOME, set};
use crate::shared::{Refusal, Shared};
use crate::unique::Rule;
use crate::view::JobView;

type Verdict = Pin<Box<dyn Future<Output = Result<(), Box<Response>>> + Send>>;

/// A validation hook with its types erased.
pub(crate) type Check<I> = Arc<dyn Fn(&Parts, I) -> Verdict + Send + Sync>;

/// One endpoint at work.
pub(crate) struct Entrance<H: Handler> {
    shared: Arc<Shared>,
    /// A job with everything that all jobs of this endpoint have in common, checked once at build.
    template: NewJob,
    check: Option<Check<H::Input>>,
    /// By what each is unique, which owner and input decide.
    unique: Rule,
}

impl<H: Handler> Entrance<H> {
    /// Errors when the handler's name or options are not valid, or what it is unique by. Without a rule the handler's holds.
    pub(crate) fn new(
        shared: Arc<Shared>,
        handler: &H,
        check: Option<Check<H::Input>>,
        unique: Option<Rule>,
    ) -> Result<Self, InvalidInput> {
        let fallback = shared.engine.settings().retry();
        let mut options = handler.options();
        let of_handler = Rule::Always(options.unique.take());
        let template = options.build(H::NAME, Payload::empty(), fallback).finish(SystemClock.now())?;
        let unique = unique.unwrap_or(of_handler);
        unique.check(H::Input::CONTENT_TYPE)?;
        Ok(Self { shared, template, check, unique })
    }

    pub(crate) async fn answer(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let prefer = Prefer::read(&parts.headers);
        match self.submit(&mut parts, body, prefer).await {
            Ok(response) => response,
            Err(Refusal::Problem(problem)) => self.shared.responses.answer_problem(problem, &parts),
            Err(refusal) => self.shared.refuse(refusal, &parts),
        }
    }

    /// Everything that headers can decide comes before the body is read; the store comes last.
    async fn submit(&self, parts: &mut Parts, body: Body, prefer: Prefer) -> Result<Response, Refusal> {
        let bytes_max = self.shared.engine.settings().payload_bytes_max;
        let content_type = accept::head::<H::Input>(&parts.headers, bytes_max)?;
        let owner = self.shared.owners.of(parts)?;
        let identity = Identity::read(parts, owner.as_ref(), route(parts))?;
        let unique = self.unique.of(&parts.headers)?;
        let context = self.shared.keep.context(parts).await?;
        let accepted = accept::body::<H::Input>(body, content_type, bytes_max).await?;
        if let Some(check) = &self.check {
            check(parts, accepted.input).await?;
        }
        let mut job = NewJob {
            id: identity.id(),
            payload: accepted.payload,
            owner: owner.clone(),
            context,
            traceparent: traceparent(&parts.headers),
            cause: cause(&parts.headers),
            ..self.template.clone()
        };
        if let Some(unique) = unique {
            let made = job.make_unique(&unique, identity.is_fresh());
            made.map_err(|error| refusal(error.into(), identity))?;
        }
        let submitted = self.shared.engine.submit(job).await.map_err(|error| refusal(error, identity))?;
        self.follow(submitted, owner.as_ref(), parts, prefer).await
    }

    /// The answer once the store has the job, or has one that stands for it. A new job is shown without asking the store for it.
    async fn follow(
        &self,
        submitted: Submitted,
        owner: Option<&Owner>,
        parts: &Parts,
        prefer: Prefer,
    ) -> Result<Response, Refusal> {
        let Submitted { id, outcome, at } = submitted;
        let mut response = match (outcome, prefer.wait) {
            (SubmitOutcome::Created(_) | SubmitOutcome::Replaced(_), None) => {
                let view = JobView::accepted(&self.template, id, at, &self.shared.jobs);
                self.shared.responses.answer_submitted(&view, parts)
            }
            (SubmitOutcome::Duplicate, _) => {
                self.wait(id, owner, parts, prefer).await.map_err(|why| removed(why, id))?
            }
            _ => self.wait(id, owner, parts, prefer).await?,
        };
        if let Some(word) = word(outcome) {
            response.headers_mut().insert(ASYNC_JOB_OUTCOME, HeaderValue::from_static(word));
        }
        if let Some(applied) = prefer.applied() {
            response.headers_mut().insert(PREFERENCE_APPLIED, applied);
        }
        Ok(response)
    }

    async fn wait(&self, id: JobId, owner: Option<&Owner>, parts: &Parts, prefer: Prefer) -> Result<Response, Refusal> {
        let job = self.shared.look(id, &scope(owner), prefer.wait).await?;
        if prefer.wait.is_none() || !job.status.is_finished() {
            return Ok(self.shared.responses.answer_submitted(&JobView::of(&job, &self.shared.jobs), parts));
        }
        let location = format!("{}/{id}/result", self.shared.jobs);
        let mut response = outcome(job).unwrap_or_else(Problem::into_response);
        set(response.headers_mut(), CONTENT_LOCATION, location);
        set(response.headers_mut(), ASYNC_JOB_ID, id.to_string());
        Ok(response)
    }
}

/// What a submission did that did not just make a new job.
fn word(outcome: SubmitOutcome) -> Option<&'static str> {
    match outcome {
        SubmitOutcome::Existing => Some("existing"),
        SubmitOutcome::Duplicate => Some("duplicate"),
        SubmitOutcome::Replaced(_) => Some("replaced"),
        SubmitOutcome::Created(_)
        | SubmitOutcome::Conflict
        | SubmitOutcome::QueueFull
        | SubmitOutcome::OwnerFull
        | SubmitOutcome::OverRate { .. } => None,
    }
}

/// A job may hold its key for longer than it is kept.
fn removed(why: Refusal, id: JobId) -> Refusal {
    match why {
        Refusal::NotFound => {
            let detail = format!("job {id}, which is the same, was accepted before and has been removed since");
            Problem::new(Code::DuplicateRemoved, detail).into()
        }
        why => why,
    }
}

/// The route's pattern as it was mounted, so that `/users/1` and `/users/2` are one route.
fn route(parts: &Parts) -> &str {
    parts.extensions.get::<MatchedPath>().map_or(parts.uri.path(), MatchedPath::as_str)
}

/// What the engine refuses is the caller's business; where it fails, it is ours.
fn refusal(error: EngineError, identity: Identity) -> Refusal {
    match error {
        EngineError::Conflict { .. } => identity.reused().into(),
        EngineError::Invalid(_)
        | EngineError::QueueFull { .. }
        | EngineError::OwnerFull { .. }
        | EngineError::OverRate { .. }
        | EngineError::Busy
        | EngineError::ShuttingDown => Problem::from(&error).into(),
        _ => error.into(),
    }
}
