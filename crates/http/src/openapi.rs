//! The API described as OpenAPI 3.1: every endpoint, the job routes, their headers and refusals.

use axum::http::Method;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ComponentsBuilder, Object, Schema};
use utoipa::openapi::{Content, InfoBuilder, OpenApi, OpenApiBuilder, Paths, RefOr, Required};
use windlass_core::payload::JSON;

use crate::describe::Description;
use crate::prefer::WAIT_MAX;
use crate::problem::PROBLEM_JSON;
use crate::shapes::{JOB, PROBLEM, all, anything, integer, reference, string, uuid};

/// The document for these endpoints and, where `jobs` is their prefix, the job routes.
pub(crate) fn document(title: &str, version: &str, endpoints: &[Description], jobs: Option<&str>) -> OpenApi {
    let mut paths = Paths::new();
    for endpoint in endpoints {
        let method = http_method(&endpoint.method);
        paths.add_path_operation(brackets(&endpoint.path), vec![method], submission(endpoint));
    }
    if let Some(jobs) = jobs {
        let job = format!("{jobs}/{{job_id}}");
        paths.add_path_operation(&job, vec![HttpMethod::Get], status());
        paths.add_path_operation(&job, vec![HttpMethod::Delete], cancellation());
        paths.add_path_operation(format!("{job}/result"), vec![HttpMethod::Get], result());
    }
    let described = endpoints.iter().filter_map(|endpoint| endpoint.described.as_ref());
    let named = described.flat_map(|described| described.schemas.iter().cloned());
    let shared = all().map(|(name, schema)| (name.to_owned(), schema));
    let components = named
        .chain(shared)
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema));
    let info = InfoBuilder::new().title(title).version(version).build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

fn submission(endpoint: &Description) -> Operation {
    let described = endpoint.described.as_ref();
    let output = described.map_or_else(anything, |described| described.output.clone());
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("submit{}{}", endpoint.job, suffix(endpoint))))
        .summary(Some(format!("Submits a {} job", endpoint.job)))
        .tag("submissions")
        .parameters(Some(captures(&endpoint.path)))
        .parameter(header("Prefer", "wait=N holds the request up to N seconds (30 at most) for the result", string()))
        .parameter(header("Idempotency-Key", "the same key and request make one job", string()))
        .parameter(header("X-Async-Request-Id", "becomes the job's id; not together with Idempotency-Key", uuid()))
        .response("202", accepted())
        .response("200", finished(output));
    if let Some(name) = &endpoint.unique_by {
        operation = operation.parameter(header(
            name,
            "while one of them stands, requests with the same value make one job",
            string(),
        ));
    }
    for (status, when) in REFUSED {
        operation = operation.response(status, problem(when));
    }
    if !endpoint.content_type.is_empty() {
        let input = described.map_or_else(anything, |described| described.input.clone());
        let body = RequestBodyBuilder::new().content(essence(endpoint.content_type), Content::new(Some(input)));
        operation = operation.request_body(Some(body.required(Some(Required::True)).build()));
    }
    operation.build()
}

const REFUSED: [(&str, &str); 9] = [
    ("400", "the body, a header or the input is not valid"),
    ("409", "with Prefer: wait, the job failed; or the same job was accepted before and has been removed"),
    ("410", "with Prefer: wait, the job was canceled"),
    ("413", "the body is too large"),
    ("415", "the media type is not taken"),
    ("422", "the key or id was used for other work, or the job is not valid"),
    ("429", "the owner has submitted as many jobs, or has as many waiting, as it may"),
    ("431", "headers, route and query values are too large"),
    ("503", "the queue is full, or the store is away"),
];

/// Two verbs may submit the same job; then the method keeps their operation ids apart.
fn suffix(endpoint: &Description) -> &'static str {
    match endpoint.method {
        Method::PUT => "ByPut",
        Method::PATCH => "ByPatch",
        Method::DELETE => "ByDelete",
        _ => "",
    }
}

fn status() -> Operation {
    let job = content(ResponseBuilder::new().description("the job as it is"), JSON, reference(JOB));
    job_operation("getJob", "Shows a job")
        .parameter(wait())
        .parameter(header("If-None-Match", "the ETag of the state that is known already", string()))
        .response("200", job.header("ETag", said(string(), "names this state")).header("Retry-After", retry_after()))
        .response("304", ResponseBuilder::new().description("nothing has changed"))
        .response("400", problem("wait is no number"))
        .build()
}

fn result() -> Operation {
    job_operation("getJobResult", "Fetches what a job's handler returned")
        .parameter(wait())
        .response("200", finished(anything()))
        .response("204", ResponseBuilder::new().description("the handler returned nothing"))
        .response("409", problem("the job has not finished, or failed"))
        .response("410", problem("the job was canceled"))
        .build()
}

fn cancellation() -> Operation {
    let job = |description: &str| content(ResponseBuilder::new().description(description), JSON, reference(JOB));
    job_operation("cancelJob", "Cancels a job")
        .response("200", job("the job is canceled"))
        .response("202", job("the job runs; its handler has been asked to stop"))
        .response("409", problem("the job has finished"))
        .build()
}

fn job_operation(id: &str, summary: &str) -> OperationBuilder {
    let path = parameter("job_id", "the job's id", uuid(), ParameterIn::Path).required(Required::True);
    OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .tag("jobs")
        .parameter(path)
        .response("404", problem("there is no such job, or it is somebody else's"))
        .response("503", problem("the store is away"))
}

fn accepted() -> Response {
    let response = ResponseBuilder::new().description("the job was stored; follow it at Location");
    content(response, JSON, reference(JOB))
        .header("Location", said(string(), "where the job is found"))
        .header("Async-Job-Id", said(uuid(), "the job's id"))
        .header("Async-Job-Outcome", said(string(), "existing, duplicate or replaced, where the job is not just new"))
        .header("Retry-After", retry_after())
        .header("Preference-Applied", said(string(), "the preference that was honoured"))
        .build()
}

fn finished(output: RefOr<Schema>) -> Response {
    content(ResponseBuilder::new().description("what the handler returned"), JSON, output).build()
}

fn problem(when: &str) -> Response {
    content(ResponseBuilder::new().description(when), PROBLEM_JSON, reference(PROBLEM)).build()
}

fn content(response: ResponseBuilder, media_type: &str, schema: RefOr<Schema>) -> ResponseBuilder {
    response.content(media_type, Content::new(Some(schema)))
}

fn said(schema: Object, description: &str) -> Header {
    let mut header = Header::new(schema);
    header.description = Some(description.to_owned());
    header
}

fn retry_after() -> Header {
    said(integer(), "seconds after which to ask again")
}

fn wait() -> ParameterBuilder {
    let text = format!("holds the request up to so many seconds ({} at most)", WAIT_MAX.as_secs());
    parameter("wait", &text, integer(), ParameterIn::Query)
}

fn header(name: &str, description: &str, schema: Object) -> ParameterBuilder {
    parameter(name, description, schema, ParameterIn::Header)
}

fn parameter(name: &str, description: &str, schema: Object, place: ParameterIn) -> ParameterBuilder {
    ParameterBuilder::new().name(name).description(Some(description)).parameter_in(place).schema(Some(schema))
}

/// The captures of a route pattern.
fn captures(path: &str) -> Vec<Parameter> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let capture = |name: &str| parameter(name, "taken from the path", string(), ParameterIn::Path);
    names.map(|name| capture(name.trim_start_matches('*')).required(Required::True).build()).collect()
}

/// A route pattern as OpenAPI writes it: `/{*rest}` is `/{rest}` there.
fn brackets(path: &str) -> String {
    path.replace("{*", "{")
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Post,
    }
}
