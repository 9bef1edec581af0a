//! Ticks of 2 000 random expressions, held against croniter's (cron/oracle.py). Where the two differ, cron/differences.tsv
//! says so. Run with `WINDLASS_BLESS=1` to accept a change of it.
//!
//! All of them are of one kind: a day field that says `*/1`, or every day of the week in another way, beside another day
//! field that restricts. croner (as OCPS) takes it for a field that restricts, so that either day will do, which is any day;
//! croniter takes it for a star, so that the other field decides. `*` means the same to both. The two also differ about ranges
//! of one value, `5-5`, which croniter takes for the whole field; the oracle asks for none.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use windlass_core::{Cadence, Timestamp};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cron").join(file)).unwrap_or_default()
}

fn ours(expression: &str, zone: &str, begin: i64, count: usize) -> Vec<String> {
    let Ok(cadence) = Cadence::zoned(expression, zone) else { return vec!["refused".into()] };
    let next = |after: &Timestamp| cadence.next(*after, Timestamp::UNIX_EPOCH);
    let ticks = std::iter::successors(next(&Timestamp::from_millis(begin * 1_000)), next).take(count);
    let ticks: Vec<String> = ticks.map(|tick| (tick.as_micros() / 1_000_000).to_string()).collect();
    if ticks.is_empty() { vec!["never".into()] } else { ticks }
}

#[test]
fn ticks_are_those_of_another_implementation_but_for_known_differences() {
    let mut differences = String::new();
    let asked = read("croniter.tsv");
    for line in asked.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [expression, zone, begin, theirs @ ..] = fields.as_slice() else {
            panic!("not a line of the oracle: {line}")
        };
        let ours = ours(expression, zone, begin.parse().expect("seconds"), theirs.len().max(1));
        if ours != theirs {
            writeln!(differences, "{expression}\t{zone}\t{}\tnot\t{}", ours.join(" "), theirs.join(" "))
                .expect("a string");
        }
    }
    if std::env::var_os("WINDLASS_BLESS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cron/differences.tsv"), &differences)
            .expect("written");
    }
    assert_eq!(asked.lines().count(), 2_000);
    assert!(differences == read("differences.tsv"), "other differences than the known ones:\n{differences}");
}
