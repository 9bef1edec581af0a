//! The answer, for people and for programs.

use crate::figure::Figure;

const HEAD: [&str; 15] = [
    "system",
    "store",
    "mode",
    "jobs",
    "jobs/s",
    "by phase",
    "floor",
    "p50 ms",
    "p99 ms",
    "max ms",
    "floor p99",
    "ratio",
    "calls/s",
    "cpu ms/s",
    "RSS MiB",
];

/// One JSON object a line.
pub(crate) fn json(figures: &[Figure]) -> serde_json::Result<()> {
    for figure in figures {
        println!("{}", serde_json::to_string(figure)?);
    }
    Ok(())
}

/// A table without the columns that nobody filled, and what it rests on below.
pub(crate) fn table(figures: &[Figure]) {
    let rows: Vec<[String; HEAD.len()]> = figures.iter().map(row).collect();
    let filled = |column: &usize| rows.iter().any(|row| !row[*column].is_empty());
    let columns: Vec<usize> = (0..HEAD.len()).filter(filled).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).chain([HEAD[column].len()]).max();
    let line = |cells: [&str; HEAD.len()]| {
        let padded = |column: &usize| format!("{:>1$}", cells[*column], width(*column).unwrap_or(0));
        println!("{}", columns.iter().map(padded).collect::<Vec<_>>().join("  "));
    };
    line(HEAD);
    rows.iter().for_each(|row| line(row.each_ref().map(String::as_str)));
    println!();
    figures.iter().for_each(note);
}

fn row(figure: &Figure) -> [String; HEAD.len()] {
    [
        figure.system.to_owned(),
        figure.store.to_owned(),
        figure.mode.to_owned(),
        figure.jobs.to_string(),
        whole(figure.jobs_per_s),
        each(&figure.phases_per_s, whole),
        whole(figure.floor_jobs_per_s),
        precise(figure.p50_ms),
        precise(figure.p99_ms),
        precise(figure.max_ms),
        precise(figure.floor_p99_ms),
        precise(figure.ratio_to_floor),
        precise(figure.store_calls_per_s),
        precise(figure.cpu_ms_per_s),
        figure.rss_mib.map(|mib| format!("{mib:.1}")).unwrap_or_default(),
    ]
}

fn whole(number: Option<f64>) -> String {
    number.map(|number| format!("{number:.0}")).unwrap_or_default()
}

fn each(numbers: &[f64], written: fn(Option<f64>) -> String) -> String {
    numbers.iter().map(|number| written(Some(*number))).collect::<Vec<_>>().join(" ")
}

fn precise(number: Option<f64>) -> String {
    number.map(|number| format!("{number:.3}")).unwrap_or_default()
}

fn note(figure: &Figure) {
    let Figure { question, system, store, mode, runs, .. } = figure;
    println!("{question} {system} {store} {mode}: median of {runs}; {}; {}", figure.settings, figure.versions);
    if *system == "windlass" && !figure.floor_settings.is_empty() {
        println!("  floor: {}", figure.floor_settings);
    }
    if let Some(ratio) = figure.ratio_to_best_peer {
        let what = if figure.jobs_per_s.is_some() { "as fast as" } else { "the p99 of" };
        println!("  {ratio:.2} times {what} the best peer that is as durable");
    }
    if !figure.ratio_to_best_fixed.is_empty() {
        println!("  {} of the best fixed number in each phase", each(&figure.ratio_to_best_fixed, precise));
    }
    if let (Some(in_vain), Some(given_up)) = (figure.in_vain, figure.given_up) {
        println!("  {in_vain:.0} attempts in vain, {given_up:.0} jobs failed for the fourth time");
    }
    if let Some(costs) = costs(figure) {
        println!("  a job cost {costs}");
    }
    if figure.is_sound() {
        println!("  each of {} jobs executed and completed exactly once in every run", figure.jobs);
    } else {
        println!(
            "  NOT DELIVERED: {} of {} completed in the worst run, {} lost and {} ran twice in all runs",
            figure.completed, figure.jobs, figure.lost, figure.duplicated
        );
    }
}

/// What a job cost besides time, where it was measured.
fn costs(figure: &Figure) -> Option<String> {
    let measured = [
        (figure.client_cpu_us_per_job, "µs of the client's processors"),
        (figure.server_cpu_us_per_job, "µs of the server's"),
        (figure.wal_bytes_per_job, "bytes of log"),
        (figure.commits_per_job, "commits"),
        (figure.commands_per_job, "commands, those in scripts included"),
    ];
    let named = measured.iter().filter_map(|(number, name)| number.map(|number| format!("{number:.3} {name}")));
    let costs: Vec<String> = named.collect();
    (!costs.is_empty()).then(|| costs.join(", "))
}
