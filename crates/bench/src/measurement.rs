//! What one process found: one line of JSON on its standard output.

use serde::{Deserialize, Serialize};

/// One measurement's findings. What a question does not ask stays empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Measurement {
    pub(crate) jobs: u64,
    pub(crate) completed: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) jobs_per_s: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    pub(crate) rss_mib: Option<f64>,
    pub(crate) store_calls_per_s: Option<f64>,
    pub(crate) cpu_ms_per_s: Option<f64>,
    pub(crate) client_cpu_us_per_job: Option<f64>,
    pub(crate) server_cpu_us_per_job: Option<f64>,
    pub(crate) wal_bytes_per_job: Option<f64>,
    pub(crate) commits_per_job: Option<f64>,
    /// Redis commands, those that scripts call included.
    pub(crate) commands_per_job: Option<f64>,
    /// Attempts that were in vain, and jobs that were tried more often than they are where nothing is said.
    pub(crate) in_vain: Option<f64>,
    pub(crate) given_up: Option<f64>,
    /// Jobs per second in each phase of what changes while it is measured.
    pub(crate) phases_per_s: Vec<f64>,
    /// What was seen over time.
    pub(crate) course: Vec<Moment>,
    pub(crate) settings: String,
    pub(crate) versions: String,
}

/// What was seen at one time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) seconds: f64,
    pub(crate) jobs_per_s: f64,
    /// Attempts that might run at the same time.
    pub(crate) slots: usize,
}

impl Measurement {
    /// Hands it to the process that asked.
    pub(crate) fn print(&self) -> serde_json::Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}
