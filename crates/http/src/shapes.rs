//! The shapes in the OpenAPI document that every Windlass API shares: the job, its error, the problem.

use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use windlass_core::{AttemptOutcome, Status};

pub(crate) const JOB: &str = "WindlassJob";
pub(crate) const ERROR: &str = "WindlassJobError";
pub(crate) const PROBLEM: &str = "WindlassProblem";

/// A reference to a named shape.
pub(crate) fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

/// What may be anything.
pub(crate) fn anything() -> RefOr<Schema> {
    RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build()))
}

pub(crate) fn string() -> Object {
    Object::with_type(Type::String)
}

pub(crate) fn integer() -> Object {
    Object::with_type(Type::Integer)
}

fn number() -> Object {
    Object::with_type(Type::Number)
}

pub(crate) fn uuid() -> Object {
    ObjectBuilder::from(string()).format(Some(SchemaFormat::Custom("uuid".into()))).build()
}

fn moment() -> Object {
    ObjectBuilder::from(string()).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build()
}

fn maybe(plain: Object) -> Object {
    let types = match &plain.schema_type {
        SchemaType::Type(known) => SchemaType::from_iter([known.clone(), Type::Null]),
        other => other.clone(),
    };
    ObjectBuilder::from(plain).schema_type(types).build()
}

fn one_of(values: impl IntoIterator<Item = String>) -> Object {
    ObjectBuilder::from(string()).enum_values(Some(values)).build()
}

/// An object of which every property is always there.
fn object(properties: impl IntoIterator<Item = (&'static str, RefOr<Schema>)>) -> Object {
    let object =
        properties.into_iter().fold(ObjectBuilder::new().schema_type(Type::Object), |object, (name, schema)| {
            object.property(name, schema).required(name)
        });
    object.build()
}

fn nullable(name: &str) -> RefOr<Schema> {
    let null = Object::with_type(Type::Null);
    let either = utoipa::openapi::schema::OneOfBuilder::new().item(reference(name)).item(null);
    RefOr::T(either.into())
}

/// Every shared shape with its name.
pub(crate) fn all() -> [(&'static str, RefOr<Schema>); 3] {
    [(JOB, job().into()), (ERROR, error().into()), (PROBLEM, problem().into())]
}

fn job() -> Object {
    object([
        ("id", uuid().into()),
        ("name", string().into()),
        ("status", one_of(Status::ALL.map(|status| status.to_string())).into()),
        ("retryCount", integer().into()),
        ("maxRetries", integer().into()),
        ("createdAt", moment().into()),
        ("startedAt", maybe(moment()).into()),
        ("completedAt", maybe(moment()).into()),
        ("lastUpdatedAt", moment().into()),
        ("result", anything()),
        ("error", nullable(ERROR)),
        ("queue", string().into()),
        ("priority", integer().into()),
        ("scheduledAt", maybe(moment()).into()),
        ("cancelRequested", Object::with_type(Type::Boolean).into()),
        ("progress", maybe(object([("fraction", number().into()), ("message", maybe(string()).into())])).into()),
        ("attempts", RefOr::T(ArrayBuilder::new().items(attempt()).into())),
    ])
}

fn attempt() -> Object {
    let outcomes =
        [AttemptOutcome::Completed, AttemptOutcome::Failed, AttemptOutcome::Crashed, AttemptOutcome::Canceled];
    object([
        ("number", integer().into()),
        ("startedAt", moment().into()),
        ("finishedAt", moment().into()),
        ("outcome", one_of(outcomes.map(|outcome| format!("{outcome:?}"))).into()),
        ("error", nullable(ERROR)),
    ])
}

fn error() -> Object {
    let chain = ArrayBuilder::new().items(string());
    let error = object([("code", string().into()), ("message", string().into())]);
    ObjectBuilder::from(error).property("chain", RefOr::T(Schema::from(chain))).build()
}

fn problem() -> Object {
    let problem = object([
        ("type", string().into()),
        ("title", string().into()),
        ("status", integer().into()),
        ("detail", string().into()),
        ("code", string().into()),
    ]);
    ObjectBuilder::from(problem).property("error", reference(ERROR)).build()
}
