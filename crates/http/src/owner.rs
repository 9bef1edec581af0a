//! Whose jobs a request is about.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use windlass_core::Owner;
use windlass_store::Scope;

type Extract = dyn Fn(&Parts) -> Result<Owner, Box<Response>> + Send + Sync;

/// Finds the owner of a request. Without one, every caller sees every job. With one, every request has an owner or
/// is refused: there is no third way in which a request without owner could see everything.
#[derive(Clone, Default)]
pub(crate) struct Owners(Option<Arc<Extract>>);

impl Owners {
    pub(crate) fn by<F, R>(extract: F) -> Self
    where
        F: Fn(&Parts) -> Result<Owner, R> + Send + Sync + 'static,
        R: IntoResponse,
    {
        Self(Some(Arc::new(move |parts| extract(parts).map_err(|refusal| Box::new(refusal.into_response())))))
    }

    pub(crate) fn of(&self, parts: &Parts) -> Result<Option<Owner>, Box<Response>> {
        self.0.as_ref().map(|extract| extract(parts)).transpose()
    }
}

/// The jobs that a request of `owner` may see.
pub(crate) fn scope(owner: Option<&Owner>) -> Scope {
    owner.map_or(Scope::Everything, |owner| Scope::Of(owner.clone()))
}
