//! Moves the jobs of one store into another, with a progress bar. Stop the programs that use the source first.
//!
//! ```text
//! cargo run --release --example transfer --features postgres,redis -- file:windlass-data postgres://app@localhost/app
//! ```
//!
//! It may be interrupted and run again. The report goes to standard output, and the exit code is 0 when everything that can
//! move has arrived.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use windlass::transfer::{Phase, Progress, Transfer, TransferError};

type Fault = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let addresses: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &addresses[..] else {
        eprintln!("usage: transfer <from> <to>, two stores such as file:windlass-data and redis://localhost");
        return ExitCode::from(2);
    };
    match run(from, to).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            if fault.is::<TransferError>() {
                eprintln!("What has arrived stays; run the same again to go on.");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(from: &str, to: &str) -> Result<bool, Fault> {
    let (from, to) = (windlass::open_store(from).await?, windlass::open_store(to).await?);
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{msg:8} {wide_bar} {pos}/{len} {per_sec} {eta}")?);
    let report = Transfer::between(from, to).run(|progress| show(&bar, progress)).await?;
    bar.finish_and_clear();
    println!("{report}");
    Ok(report.is_complete())
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_message(match progress.phase {
        Phase::Copying => "copying",
        Phase::Checking => "checking",
    });
    bar.set_length(progress.total.max(progress.done));
    bar.set_position(progress.done);
}
