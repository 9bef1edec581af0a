//! What all routes of one API share, and how each of them refuses.

use std::time::Duration;

use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use windlass_core::{Job, JobId};
use windlass_engine::{Engine, Error as EngineError};
use windlass_store::Scope;

use crate::keep::Keep;
use crate::owner::{Owners, scope};
use crate::problem::Problem;
use crate::responses::{NotFound, Responses};

/// Where jobs are found unless the application says otherwise.
pub(crate) const JOBS: &str = "/jobs";

/// One API's engine and rules.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    /// The path under which clients find jobs.
    pub(crate) jobs: String,
    pub(crate) owners: Owners,
    pub(crate) keep: Keep,
    pub(crate) responses: Responses,
}

/// Why a request is not answered with what it asked for.
pub(crate) enum Refusal {
    /// No such job for this caller.
    NotFound,
    /// Something is wrong with the request.
    Problem(Problem),
    /// The application said no in its own words.
    Answer(Box<Response>),
    /// Something is wrong here.
    Engine(EngineError),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Box<Response>> for Refusal {
    fn from(answer: Box<Response>) -> Self {
        Self::Answer(answer)
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl Shared {
    /// The rules of an API for which nothing was set.
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            jobs: JOBS.to_owned(),
            owners: Owners::default(),
            keep: Keep::default(),
            responses: Responses::default(),
        }
    }

    /// The jobs that this request may see.
    pub(crate) fn scope(&self, parts: &Parts) -> Result<Scope, Refusal> {
        Ok(scope(self.owners.of(parts)?.as_ref()))
    }

    /// The job at once, or when it has finished, or as it is when `patience` is over or this process begins to shut
    /// down: a caller who waits must not hold up the drain.
    pub(crate) async fn look(&self, id: JobId, scope: &Scope, patience: Option<Duration>) -> Result<Job, Refusal> {
        let Some(patience) = patience else { return self.find(id, scope).await };
        tokio::select! {
            biased;
            found = self.engine.wait(id, scope, patience) => found?.ok_or(Refusal::NotFound),
            () = self.engine.shutting_down() => self.find(id, scope).await,
        }
    }

    async fn find(&self, id: JobId, scope: &Scope) -> Result<Job, Refusal> {
        self.engine.get(id, scope).await?.ok_or(Refusal::NotFound)
    }

    pub(crate) fn refuse(&self, refusal: Refusal, parts: &Parts) -> Response {
        match refusal {
            Refusal::NotFound => self.responses.answer_status(Err(NotFound), parts),
            Refusal::Problem(problem) => problem.into_response(),
            Refusal::Answer(answer) => *answer,
            Refusal::Engine(error) => self.responses.answer_exception(&error, parts),
        }
    }
}
