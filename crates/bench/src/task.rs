//! What one process is asked to measure. The adapters of other job queues take the same arguments.

use std::path::PathBuf;

/// One measurement.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Task {
    /// The question.
    #[arg(long)]
    pub(crate) question: String,
    /// Who is measured.
    #[arg(long)]
    pub(crate) system: String,
    /// Where jobs are kept.
    #[arg(long)]
    pub(crate) store: String,
    /// Which way of using it.
    #[arg(long)]
    pub(crate) mode: String,
    /// How many jobs.
    #[arg(long)]
    pub(crate) jobs: u64,
    /// An empty directory on the disk to be measured.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Where the store's server is, if one is running already.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Windlass's `max_concurrency`.
    #[arg(long)]
    pub(crate) concurrency: usize,
    /// Windlass's `batch_size`.
    #[arg(long)]
    pub(crate) batch: usize,
    /// Threads of the runtime.
    #[arg(long)]
    pub(crate) threads: usize,
}
