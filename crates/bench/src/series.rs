//! Rounds: floor, Windlass and peers take turns, so that a minute in which the machine is slow is slow for all of them.

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Asked;
use crate::figure::{Figure, compare_to_fixed, figures};
use crate::measurement::Measurement;
use crate::plan::{Case, System, cases};
use crate::questions::upstream::ADAPTIVE;
use crate::{Fault, child, plot, print};

/// Answers what was asked; `false` when a job was lost or ran twice.
pub(crate) fn run(asked: &Asked) -> Result<bool, Fault> {
    let question = asked.question.ok_or("no question")?;
    let cases = cases(asked, question);
    if cases.is_empty() {
        return Err("nothing to measure: this question has no such mode, or not on this store".into());
    }
    if cases.iter().any(|case| case.systems.iter().any(|system| matches!(system, System::Peer(_)))) {
        eprintln!("building the adapters of other job queues …");
        child::build_peers()?;
    }
    let bar = progress(asked, &cases);
    let mut all = Vec::new();
    for case in &cases {
        let found = rounds(case, asked, &bar)?;
        let mut figures = figures(case, &found);
        if case.mode == ADAPTIVE {
            figures.iter_mut().for_each(|figure| compare_to_fixed(figure, &all));
        }
        if asked.json {
            print::json(&figures)?;
        }
        all.extend(figures);
    }
    bar.finish_and_clear();
    if !asked.json {
        print::table(&all);
    }
    if let Some(path) = &asked.plot {
        plot::write(path, &all)?;
    }
    Ok(all.iter().all(Figure::is_sound))
}

/// The measurements of each round, in the order of the case's systems.
fn rounds(case: &Case, asked: &Asked, bar: &ProgressBar) -> Result<Vec<Vec<Measurement>>, Fault> {
    (0..asked.repeat).map(|round| one_round(case, asked, round, bar)).collect()
}

/// Every other round goes backwards: who comes second finds a warmer machine.
fn one_round(case: &Case, asked: &Asked, round: u32, bar: &ProgressBar) -> Result<Vec<Measurement>, Fault> {
    let mut order: Vec<System> = case.systems.clone();
    if round % 2 == 1 {
        order.reverse();
    }
    let mut found = Vec::new();
    for system in order {
        bar.set_message(format!("{} {} {} {}", case.question.name(), case.store.name(), case.mode, system.name()));
        bar.tick();
        found.push(child::measure(case, system, asked)?);
        bar.inc(1);
    }
    if round % 2 == 1 {
        found.reverse();
    }
    Ok(found)
}

/// On the standard error, and only when a person watches.
fn progress(asked: &Asked, cases: &[Case]) -> ProgressBar {
    let measurements: usize = cases.iter().map(|case| case.systems.len()).sum();
    let bar = ProgressBar::new(measurements as u64 * u64::from(asked.repeat));
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} {bar:24} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar
}
