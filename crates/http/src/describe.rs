//! What an endpoint says of itself, for the OpenAPI document.

use axum::http::Method;
use utoipa::ToSchema;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};

/// One endpoint as the document lists it.
pub(crate) struct Description {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The name of the jobs that it submits.
    pub(crate) job: &'static str,
    /// The media type of the body; empty when there is none.
    pub(crate) content_type: &'static str,
    /// The header that tells which jobs are the same, if one does.
    pub(crate) unique_by: Option<String>,
    /// The shapes of body and result, where the application gave them.
    pub(crate) described: Option<Described>,
}

/// The shapes of an endpoint's body and result.
#[derive(Clone)]
pub(crate) struct Described {
    pub(crate) input: RefOr<Schema>,
    pub(crate) output: RefOr<Schema>,
    /// The named shapes that these two refer to.
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Described {
    pub(crate) fn of<In: ToSchema, Out: ToSchema>() -> Self {
        let mut schemas = Vec::new();
        let (input, output) = (named::<In>(&mut schemas), named::<Out>(&mut schemas));
        Self { input, output, schemas }
    }
}

/// A reference to `T` by name, with its shape and those that it refers to noted in `schemas`.
fn named<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) -> RefOr<Schema> {
    let name = T::name();
    schemas.push((name.clone().into_owned(), T::schema()));
    T::schemas(schemas);
    RefOr::Ref(Ref::from_schema_name(name))
}
