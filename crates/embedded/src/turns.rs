//! Turns: jobs of a shared queue wait in the line of their key, on disk, and a claim takes from the lines in turn.

use windlass_core::{Gate, Key, NewJob, QueueName};

use crate::candidate::{Candidate, Kind, in_line, one, ready};
use crate::fault::Checked;
use crate::ledger::Ledger;
use crate::mirror::QueueRef;

const LET_GO: &str = include_str!("sql/gate_let_go.sql");
const TAKE_BACK: &str = include_str!("sql/gate_take_back.sql");
const SET_ASIDE: &str = include_str!("sql/gate_set_aside.sql");
const HOLD: &str = include_str!("sql/gate_hold.sql");

/// A job that has just become ready goes into the line of its key, if its queue is shared.
pub(crate) fn line_up(ledger: &mut Ledger<'_>, queue: QueueRef, seq: i64, new: &NewJob) -> Checked<()> {
    let Some(gate) = ledger.mirror.keeper.turn_of(new) else { return Ok(()) };
    if let Gate::Turn(key) = &gate {
        ledger.mirror.keeper.join(&new.queue, &Some(key.clone()));
    }
    ledger.conn.prepare_cached(SET_ASIDE)?.execute([seq])?;
    ledger.conn.prepare_cached(HOLD)?.execute((queue.id(), gate.to_string(), true, new.priority.level(), seq))?;
    Ok(())
}

/// A job that waited has been canceled. Which kind its queue was shared by when it came is not on record.
pub(crate) fn withdraw(ledger: &Ledger<'_>, queue: QueueRef, seq: i64, new: &NewJob) -> Checked<()> {
    if ledger.mirror.keeper.takes_turns(&new.queue) {
        for key in new.keys() {
            let line = (queue.id(), Gate::Turn(key.clone()).to_string(), true, new.priority.level(), seq);
            ledger.conn.prepare_cached(LET_GO)?.execute(line)?;
        }
    }
    Ok(())
}

/// The next jobs of a queue that is shared, line by line.
pub(crate) fn in_turn(
    ledger: &mut Ledger<'_>,
    queue: QueueRef,
    name: &QueueName,
    most: usize,
) -> Checked<Vec<Candidate>> {
    // One more than may go, to know whether some are left.
    let mut others = ready(ledger, queue, name, Kind::Others, most.saturating_add(1))?.into_iter();
    if others.len() > 0 {
        ledger.mirror.keeper.join(name, &None);
    }
    let (mut chosen, mut of_lines) = (Vec::new(), Vec::new());
    while chosen.len() < most
        && let Some((line, number)) = ledger.mirror.keeper.next_turn(name)
    {
        let number = usize::try_from(number).unwrap_or(usize::MAX).min(most - chosen.len());
        let (some, stay) = match &line {
            Some(key) => take_from(ledger, queue, name, key, number)?,
            None => (others.by_ref().take(number).collect::<Vec<_>>(), others.len() > 0),
        };
        ledger.mirror.keeper.took_turns(name, &line, some.len() as u64, stay);
        if line.is_some() {
            of_lines.extend(some.iter().map(|candidate| candidate.seq));
        }
        chosen.extend(some);
    }
    // Only now, or they would be read as others.
    for seq in of_lines {
        ledger.conn.prepare_cached(TAKE_BACK)?.execute([seq])?;
    }
    Ok(chosen)
}

/// The first jobs of a line, which do not stand there any more, and whether some are left.
fn take_from(
    ledger: &Ledger<'_>,
    queue: QueueRef,
    name: &QueueName,
    key: &Key,
    number: usize,
) -> Checked<(Vec<Candidate>, bool)> {
    let gate = Gate::Turn(key.clone()).to_string();
    let mut some = in_line(ledger, queue, name, &gate, number.saturating_add(1))?;
    let stay = some.len() > number;
    some.truncate(number);
    for candidate in &some {
        let line = (queue.id(), &gate, true, candidate.new.priority.level(), candidate.seq);
        ledger.conn.prepare_cached(LET_GO)?.execute(line)?;
    }
    Ok((some, stay))
}

/// A job that waited at a gate stands in the line again that it came from.
pub(crate) fn come_back(ledger: &mut Ledger<'_>, queue: QueueRef, name: &QueueName, seq: i64) -> Checked<()> {
    match one(ledger, name, seq)? {
        Some(back) => line_up_all(ledger, queue, vec![back]),
        None => Ok(()),
    }
}

/// Jobs that have just become ready go into their lines, if their queue is shared.
pub(crate) fn line_up_all(ledger: &mut Ledger<'_>, queue: QueueRef, due: Vec<Candidate>) -> Checked<()> {
    for Candidate { new, seq, crashes, .. } in due {
        if !new.retry.is_suspect(crashes) {
            line_up(ledger, queue, seq, &new)?;
        }
    }
    Ok(())
}
