//! Why the engine could not start, or could not take or find a job.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{InvalidInput, JobId, Owner, QueueName};
use windlass_dispatch::BuildError;

/// Why a call on the engine failed. The text is for operators; HTTP answers show only what is safe.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The job is not valid.
    #[error("invalid job: {0}")]
    Invalid(#[from] InvalidInput),
    /// A job of this id exists that asks for other work.
    #[error("job {id} exists already and asks for other work; choose another id or key")]
    Conflict {
        /// The id that is taken.
        id: JobId,
    },
    /// The queue holds as many waiting jobs as `max_queue_size` or its [`Backlog`](windlass_core::Backlog) allows. Nothing was stored.
    #[error("queue {queue} is full; try again later, or raise max_queue_size or the queue's backlog")]
    QueueFull {
        /// The queue.
        queue: QueueName,
    },
    /// As many of the owner's jobs wait as the [`Backlog`](windlass_core::Backlog) at its gate allows. Nothing was stored.
    #[error(
        "owner {owner} has as many jobs waiting as it may; try again later, or raise the backlog at owner:{owner} or owners"
    )]
    OwnerFull {
        /// The owner.
        owner: Owner,
    },
    /// The job's owner has submitted as many as the rate at its gate allows. Nothing was stored.
    #[error("the owner has submitted as many jobs as it may; try again in {} ms", .retry_after.as_millis())]
    OverRate {
        /// When it may submit again.
        retry_after: Duration,
    },
    /// Too many submissions wait in this process for the store. Nothing was stored.
    #[error("too many submissions are waiting for the store; try again later")]
    Busy,
    /// The store did not answer within `submit_timeout`. Whether the job was stored is unknown: submit the same id again.
    #[error("the store did not answer in time; submit the same id again to be sure")]
    Timeout,
    /// The store could not do it.
    #[error("store: {0}")]
    Store(Arc<windlass_store::Error>),
    /// The store does not offer it.
    #[error("this store keeps no {what}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// The process is shutting down and takes no more work.
    #[error("shutting down")]
    ShuttingDown,
}

impl Error {
    /// Whether the same call can succeed later without anybody's help.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Conflict { .. } | Self::Unsupported { .. } => false,
            Self::Store(error) => error.is_transient(),
            Self::QueueFull { .. } | Self::OwnerFull { .. } | Self::OverRate { .. } => true,
            Self::Busy | Self::Timeout | Self::ShuttingDown => true,
        }
    }

    /// How long to wait before trying again: what an owner's rate says, otherwise one to five seconds, drawn anew each time so that
    /// callers spread out.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::OverRate { retry_after } => *retry_after,
            _ => Duration::from_secs(fastrand::u64(1..=5)),
        }
    }
}

impl From<windlass_store::Error> for Error {
    fn from(error: windlass_store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is wrong.
    #[error("settings: {0}")]
    Settings(#[from] InvalidInput),
    /// The handlers do not fit together.
    #[error("{0}")]
    Handlers(#[from] BuildError),
    /// The setting `handlers` names one that this process does not have.
    #[error(
        "settings: `handlers` names {handler:?}, which is no handler of this process; add it with `.handler(…)`, or name one of \
         those that there are: {known}"
    )]
    UnknownHandler {
        /// What was named.
        handler: String,
        /// The handlers of this process.
        known: String,
    },
    /// The store cannot be used.
    #[error("store: {0}")]
    Store(#[from] windlass_store::Error),
    /// A schedule could not be declared.
    #[error("schedule: {0}")]
    Schedule(Error),
    /// A limit or a share could not be set.
    #[error("rule: {0}")]
    Rule(Error),
    /// A breaker is wrong.
    #[error("breaker of {handler}: {error}")]
    Breaker {
        /// Whose it is.
        handler: String,
        /// What is wrong with it.
        error: InvalidInput,
    },
    /// The operating system refused a thread.
    #[error("cannot start the heartbeat thread: {0}")]
    Thread(#[from] std::io::Error),
}
