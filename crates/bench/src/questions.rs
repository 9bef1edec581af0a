//! The questions. Each file has a `windlass` and a `floor`; here a task finds its way to one of them.

pub(crate) mod delays;
pub(crate) mod depth;
pub(crate) mod drain;
pub(crate) mod fairness;
pub(crate) mod http;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod limits;
pub(crate) mod outage;
pub(crate) mod recovery;
mod retention;
pub(crate) mod snapshot;
mod steady;
pub(crate) mod submit;
pub(crate) mod upstream;

use crate::Fault;
use crate::measurement::Measurement;
use crate::task::Task;
use crate::upstream::{GOES_AWAY, HALVES};

/// Measures what the task says and prints what was found.
pub(crate) fn measure(task: &Task) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(task.threads).enable_all().build()?;
    let found = runtime.block_on(answer(task))?;
    Ok(found.print()?)
}

async fn answer(task: &Task) -> Result<Measurement, Fault> {
    match (task.question.as_str(), task.system.as_str()) {
        ("submit", "windlass") => submit::windlass(task).await,
        ("submit", "floor") => submit::floor(task).await,
        ("drain", "windlass") => drain::windlass(task).await,
        ("drain", "floor") => drain::floor(task).await,
        ("steady", "windlass") => steady::windlass(task).await,
        ("steady", "floor") => steady::floor(task).await,
        ("latency", "windlass") => latency::windlass(task).await,
        ("latency", "floor") => latency::floor(task).await,
        ("http", "windlass") => http::windlass(task).await,
        ("http", "floor") => http::floor(task).await,
        ("snapshot", "windlass") => snapshot::windlass(task).await,
        ("snapshot", "floor") => snapshot::floor(task).await,
        ("retention", "windlass") => retention::windlass(task).await,
        ("retention", "floor") => retention::floor(task).await,
        ("depth", "windlass") => depth::windlass(task).await,
        ("depth", "floor") => depth::floor(task).await,
        ("limits", "windlass") => limits::windlass(task).await,
        ("limits", "floor") => limits::floor(task).await,
        ("fairness", "windlass") => fairness::windlass(task).await,
        ("fairness", "floor") => fairness::floor(task).await,
        ("delays", "windlass") => delays::windlass(task).await,
        ("delays", "floor") => delays::floor(task).await,
        ("upstream", "windlass") => upstream::windlass(task).await,
        ("upstream", "floor") => upstream::floor(HALVES).await,
        ("outage", "windlass") => outage::windlass(task).await,
        ("outage", "floor") => upstream::floor(GOES_AWAY).await,
        ("idle", "windlass") => idle::windlass(task).await,
        ("idle", "floor") => idle::floor().await,
        ("recovery", "windlass") => recovery::windlass(task).await,
        ("recovery", "floor") => Ok(recovery::floor()),
        (question, system) => Err(format!("nothing measures {question} for {system}").into()),
    }
}
