//! An endpoint: a verb, a path, and the handler whose jobs it submits.

use std::future::Future;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use futures_util::FutureExt;
use utoipa::ToSchema;
use windlass_core::{InvalidInput, Unique};
use windlass_dispatch::{Handler, Input};

use crate::describe::{Described, Description};
use crate::shared::Shared;
use crate::submit::{Check, Entrance};
use crate::unique::Rule;

/// An endpoint to be added to an [`Api`](crate::Api).
#[must_use = "an endpoint does nothing until it is added to an Api"]
pub struct Endpoint<H: Handler> {
    method: Verb,
    path: String,
    handler: H,
    check: Option<Check<H::Input>>,
    unique: Option<Rule>,
    described: Option<Described>,
}

/// The methods that can submit a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// `POST path` submits a job for `handler`.
pub fn post<H: Handler>(path: impl Into<String>, handler: H) -> Endpoint<H> {
    Endpoint::new(Verb::Post, path.into(), handler)
}

/// `PUT path` submits a job for `handler`.
pub fn put<H: Handler>(path: impl Into<String>, handler: H) -> Endpoint<H> {
    Endpoint::new(Verb::Put, path.into(), handler)
}

/// `PATCH path` submits a job for `handler`.
pub fn patch<H: Handler>(path: impl Into<String>, handler: H) -> Endpoint<H> {
    Endpoint::new(Verb::Patch, path.into(), handler)
}

/// `DELETE path` submits a job for `handler`.
pub fn delete<H: Handler>(path: impl Into<String>, handler: H) -> Endpoint<H> {
    Endpoint::new(Verb::Delete, path.into(), handler)
}

impl<H: Handler> Endpoint<H> {
    pub(crate) fn new(method: Verb, path: String, handler: H) -> Self {
        Self { method, path, handler, check: None, unique: None, described: None }
    }

    /// Looks at each input before it is queued. `Ok` queues it; an `Err` is the answer instead, as it is.
    ///
    /// ```
    /// use windlass_dispatch::Json;
    /// use windlass_http::Rejection;
    ///
    /// async fn check(Json(priority): Json<u8>) -> Result<(), Rejection> {
    ///     match priority {
    ///         1..=5 => Ok(()),
    ///         _ => Err(Rejection::bad_request("Priority must be between 1 and 5")),
    ///     }
    /// }
    /// # drop(check(Json(1)));
    /// ```
    pub fn validate<F, V, R>(self, check: F) -> Self
    where
        F: Fn(H::Input) -> V + Send + Sync + 'static,
        V: Future<Output = Result<(), R>> + Send + 'static,
        R: IntoResponse + 'static,
    {
        self.checked(Arc::new(move |_, input| check(input).map(erase).boxed()))
    }

    /// [`validate`](Self::validate) with a copy of the request's parts: method, URI, headers, extensions.
    pub fn validate_with<F, V, R>(self, check: F) -> Self
    where
        F: Fn(Parts, H::Input) -> V + Send + Sync + 'static,
        V: Future<Output = Result<(), R>> + Send + 'static,
        R: IntoResponse + 'static,
    {
        self.checked(Arc::new(move |parts, input| check(parts.clone(), input).map(erase).boxed()))
    }

    fn checked(mut self, check: Check<H::Input>) -> Self {
        self.check = Some(check);
        self
    }

    /// There must be one such job at a time, among those of one owner: where another stands that is the same, the answer is
    /// that job, with `Async-Job-Outcome: duplicate`. Default: what the handler's options say, which `None` undoes.
    ///
    /// The API is refused when this can make no job unique: by fields of a body that is no JSON, say. A body without the fields
    /// is answered with `422`.
    ///
    /// ```
    /// # use windlass_dispatch::{Context, Handler, Json, Result};
    /// # struct Bill;
    /// # impl Handler for Bill {
    /// #     type Input = Json<u64>;
    /// #     type Output = ();
    /// #     const NAME: &'static str = "Bill";
    /// #     async fn run(&self, _input: Json<u64>, _cx: Context) -> Result<()> { Ok(()) }
    /// # }
    /// use windlass_core::Unique;
    /// use windlass_http::post;
    ///
    /// let endpoint = post("/bills", Bill).unique(Unique::fields(["customerId"]));
    /// # drop(endpoint);
    /// ```
    pub fn unique(mut self, unique: impl Into<Option<Unique>>) -> Self {
        self.unique = Some(Rule::Always(unique.into()));
        self
    }

    /// The same, by what `make` makes of a header's value, of 1 to 256 visible ASCII characters:
    /// `.unique_by_header("X-Order-Id", |order| Unique::key(order))`. A request without the header submits a job that is not unique; one whose
    /// value is longer, or that has several, is answered with `400`.
    pub fn unique_by_header(
        mut self,
        name: impl AsRef<str>,
        make: impl Fn(&str) -> Unique + Send + Sync + 'static,
    ) -> Self {
        self.unique = Some(Rule::by_header(name.as_ref(), make));
        self
    }

    /// Puts the shapes of the body and of the result into the OpenAPI document.
    pub fn describe<In: ToSchema, Out: ToSchema>(mut self) -> Self {
        self.described = Some(Described::of::<In, Out>());
        self
    }
}

fn erase<R: IntoResponse>(verdict: Result<(), R>) -> Result<(), Box<axum::response::Response>> {
    verdict.map_err(|refusal| Box::new(refusal.into_response()))
}

/// An endpoint with its handler's type erased.
pub(crate) trait Mount: Send {
    fn path(&self) -> &str;
    fn method(&self) -> Method;
    /// What the OpenAPI document says of it.
    fn description(&self) -> Description;
    /// The route. Errors when the handler's name or options are not valid.
    fn mount(self: Box<Self>, shared: Arc<Shared>) -> Result<MethodRouter, InvalidInput>;
}

impl<H: Handler> Mount for Endpoint<H> {
    fn path(&self) -> &str {
        &self.path
    }

    fn method(&self) -> Method {
        self.method.method()
    }

    fn description(&self) -> Description {
        Description {
            method: self.method.method(),
            path: self.path.clone(),
            job: H::NAME,
            content_type: H::Input::CONTENT_TYPE,
            unique_by: self.unique.as_ref().and_then(Rule::header).map(ToString::to_string),
            described: self.described.clone(),
        }
    }

    fn mount(self: Box<Self>, shared: Arc<Shared>) -> Result<MethodRouter, InvalidInput> {
        let entrance = Arc::new(Entrance::new(shared, &self.handler, self.check, self.unique)?);
        Ok(on(self.method.filter(), move |request: Request| {
            let entrance = entrance.clone();
            async move { entrance.answer(request).await }
        }))
    }
}
