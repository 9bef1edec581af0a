//! The jobs that an application's messages become.

use std::sync::Weak;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::mpsc::WeakSender;
use windlass_core::job::JobBuilder;
use windlass_core::{Clock, ErrorClass, JobError, JobId, NewJob, Payload, SystemClock};
use windlass_dispatch::{Error as HandlerError, HandlerOptions, Result, Submitter};
use windlass_store::Submitted;

use crate::engine::{Engine, accepted};
use crate::error::Error;
use crate::shared::Shared;
use crate::turn::Submittal;

/// An engine as its own applications know it: they do not keep it running.
pub(crate) struct WeakEngine {
    pub(crate) shared: Weak<Shared>,
    pub(crate) submittals: WeakSender<Submittal>,
}

impl WeakEngine {
    fn upgrade(&self) -> Result<Engine, Error> {
        let (shared, submittals) = (self.shared.upgrade(), self.submittals.upgrade());
        let (shared, submittals) = shared.zip(submittals).ok_or(Error::ShuttingDown)?;
        Ok(Engine { shared, submittals })
    }
}

impl Submitter for WeakEngine {
    fn build(&self, name: &str, options: &HandlerOptions, payload: Payload) -> JobBuilder {
        let retry = self.shared.upgrade().map(|shared| shared.settings.retry());
        options.build(name, payload, retry.unwrap_or_default())
    }

    fn submit(&self, jobs: Vec<JobBuilder>) -> BoxFuture<'_, Result<Vec<JobId>>> {
        let submitted = async move {
            let engine = self.upgrade()?;
            let (now, limit) = (SystemClock.now(), engine.settings().payload_bytes_max);
            let jobs = jobs.into_iter().map(|job| job.finish_within(now, limit)).collect::<Result<Vec<_>, _>>()?;
            let places: Vec<_> = jobs.iter().map(|job| (job.queue.clone(), job.owner.clone())).collect();
            let answers = submit_again(&engine, jobs).await?;
            answers
                .into_iter()
                .zip(places)
                .map(|(answer, (queue, owner))| accepted(&answer, queue, owner).map(|()| answer.id))
                .collect()
        };
        submitted.map(|submitted: Result<_, Error>| submitted.map_err(|error| as_handlers(&error))).boxed()
    }
}

/// Whether jobs were stored is not known when the store did not answer in time; their ids are, so that asking again is safe.
async fn submit_again(engine: &Engine, jobs: Vec<NewJob>) -> Result<Vec<Submitted>, Error> {
    const TRIES: u32 = 3;
    for _ in 1..TRIES {
        match engine.submit_all(jobs.clone()).await {
            Err(Error::Timeout) => {}
            answered => return answered,
        }
    }
    engine.submit_all(jobs).await
}

/// Another try helps where the engine's caller could try again.
fn as_handlers(error: &Error) -> HandlerError {
    let class = if error.is_temporary() { ErrorClass::Transient } else { ErrorClass::Permanent };
    HandlerError::new(class, JobError::from_error("NOT_SUBMITTED", error))
}
