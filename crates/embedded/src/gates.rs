//! Gates: edits, and a claim where rules are set. A job that may not start waits at its gate
//! on disk, and comes back into its line when there may be room.

use windlass_core::gate::{Bucket, Edit};
use windlass_core::{Gate, JobId, NewJob, QueueName, Status};
use windlass_store::gatekeeper::Closed;
use windlass_store::{Claim, ClaimedJob, Hint, Ruled, codec};

use crate::candidate::{Candidate, Kind, ready, ready_by_age, start};
use crate::fault::Checked;
use crate::ledger::Ledger;
use crate::mirror::QueueRef;
use crate::{owned, turns};

const WRITE_RULE: &str = include_str!("sql/gate_write.sql");
const REMOVE_RULE: &str = include_str!("sql/gate_remove.sql");
const WRITE_BUCKET: &str = include_str!("sql/gate_bucket.sql");
const PRUNE_BUCKETS: &str = include_str!("sql/gate_prune.sql");
const KEEP_SLOT: &str = include_str!("sql/gate_keep_slot.sql");
const FREE_SLOTS: &str = include_str!("sql/gate_free_slots.sql");
const HOLD: &str = include_str!("sql/gate_hold.sql");
const SET_ASIDE: &str = include_str!("sql/gate_set_aside.sql");
const HELD: &str = include_str!("sql/gate_held.sql");
const LET_GO: &str = include_str!("sql/gate_let_go.sql");
const TAKE_BACK: &str = include_str!("sql/gate_take_back.sql");

/// A claim passes over so many jobs at most; the next one goes on.
const PASSED_OVER_MAX: usize = 1_000;

/// And takes back so many, give or take one gate.
const TAKEN_BACK_MAX: usize = 1_000;

/// And looks at so many at once, where those of other handlers may be in front.
const REACH: usize = 64;

/// Changes the rule at a gate.
pub(crate) fn edit(ledger: &mut Ledger<'_>, gate: &Gate, edit: &Edit) -> Checked<()> {
    let running = ledger.mirror.running_jobs(ledger.conn)?;
    let counted = ledger.mirror.keeper.bounds_owners();
    ledger.mirror.keeper.edit(gate, edit, running.iter(), ledger.now);
    owned::count(ledger.conn, counted, ledger.mirror.keeper.bounds_owners())?;
    let rule = ledger.mirror.keeper.rule(gate);
    match rule.is_none() {
        true => ledger.conn.prepare_cached(REMOVE_RULE)?.execute([gate.to_string()])?,
        false => ledger.conn.prepare_cached(WRITE_RULE)?.execute((gate.to_string(), codec::seal(&rule)?))?,
    };
    keep_buckets(ledger)?;
    ledger.news.hints.push(Hint::Ready);
    Ok(())
}

/// The gates that have rules.
pub(crate) fn list(ledger: &Ledger<'_>, after: Option<&Gate>, limit: usize) -> Vec<Ruled> {
    ledger.mirror.keeper.list(after, limit)
}

/// Gives out ready jobs of a line, suspects or others, as far as they may pass their gates. Whether it stopped early.
pub(crate) fn take(
    ledger: &mut Ledger<'_>,
    claim: &Claim,
    (queue, name): &(QueueRef, QueueName),
    kind: Kind,
    allowed: usize,
    jobs: &mut Vec<ClaimedJob>,
) -> Checked<bool> {
    let mut passed_over = 0;
    while passed_over < PASSED_OVER_MAX && jobs.len() < allowed {
        let back = look_again(ledger, *queue, name, claim)?;
        let room = usize::try_from(ledger.mirror.keeper.room_for(name, ledger.now)).unwrap_or(usize::MAX);
        let room = room.min(allowed - jobs.len());
        let candidates = next(ledger, *queue, name, kind, reach(ledger, claim, name, room))?;
        // Those who came back are seen by now; where suspects are looked for, the others would come back one and all.
        if candidates.is_empty() && (kind == Kind::Suspects || back == 0) {
            break;
        }
        let (passed, stopped) = those_that_pass(ledger, claim, *queue, candidates, room)?;
        passed_over += stopped;
        ledger.mirror.keeper.pass_line(name, passed.len() as u64, ledger.now);
        start(ledger, claim, *queue, passed, jobs)?;
    }
    keep_buckets(ledger)?;
    Ok(passed_over >= PASSED_OVER_MAX)
}

/// How many jobs of a line to look at for `room` that start: where a claim takes those of some handlers only, others may be in front.
fn reach(ledger: &Ledger<'_>, claim: &Claim, name: &QueueName, room: usize) -> usize {
    match claim.handlers.is_some() && room > 0 && !ledger.mirror.keeper.takes_turns(name) {
        true => room.max(REACH),
        false => room,
    }
}

/// The first ready jobs of a line.
fn next(
    ledger: &mut Ledger<'_>,
    queue: QueueRef,
    name: &QueueName,
    kind: Kind,
    room: usize,
) -> Checked<Vec<Candidate>> {
    if kind == Kind::Others && ledger.mirror.keeper.takes_turns(name) {
        return turns::in_turn(ledger, queue, name, room);
    }
    match ledger.mirror.keeper.aging(name).filter(|_| kind == Kind::Others) {
        Some(span) => ready_by_age(ledger, queue, name, span, room),
        None => ready(ledger, queue, name, kind, room),
    }
}

/// Those who may start, as many as there is room for, and how many were stopped. Behind one that handed its room on to others
/// nobody passes any more, but stands in its line again.
fn those_that_pass(
    ledger: &mut Ledger<'_>,
    claim: &Claim,
    queue: QueueRef,
    candidates: Vec<Candidate>,
    room: usize,
) -> Checked<(Vec<Candidate>, usize)> {
    if !ledger.mirror.keeper.asks_each() && claim.handlers.is_none() {
        return Ok((candidates, 0));
    }
    let (mut passed, mut stopped, mut put_back) = (Vec::with_capacity(candidates.len()), 0, Vec::new());
    let mut handed_on = false;
    for candidate in candidates {
        if !claim.serves(&candidate.new.name) {
            stopped += 1;
            handed_on |= leave_to_others(ledger, queue, &candidate)?;
            continue;
        }
        if passed.len() == room {
            put_back.push(candidate);
            continue;
        }
        let closed = match handed_on {
            true => ledger.mirror.keeper.closed_to(&candidate.new, ledger.now),
            false => ledger.mirror.keeper.admit(&candidate.new, ledger.now).err(),
        };
        if let Some(closed) = closed {
            stopped += 1;
            handed_on |= set_aside(ledger, queue, &candidate, &closed)?;
        } else if handed_on {
            put_back.push(candidate);
        } else {
            passed.push(candidate);
        }
    }
    turns::line_up_all(ledger, queue, put_back)?;
    Ok((passed, stopped))
}

/// Whether others of the line have its room.
fn set_aside(ledger: &mut Ledger<'_>, queue: QueueRef, candidate: &Candidate, closed: &Closed) -> Checked<bool> {
    let handed_on = ledger.mirror.keeper.stop(&candidate.new, closed, ledger.now);
    hold(ledger, queue, candidate, closed)?;
    Ok(handed_on)
}

/// Whether others of the line have its room at other gates.
fn leave_to_others(ledger: &mut Ledger<'_>, queue: QueueRef, candidate: &Candidate) -> Checked<bool> {
    let (closed, handed_on) = ledger.mirror.keeper.leave_to_others(&candidate.new, ledger.now);
    hold(ledger, queue, candidate, &closed)?;
    Ok(handed_on)
}

fn hold(ledger: &Ledger<'_>, queue: QueueRef, candidate: &Candidate, closed: &Closed) -> Checked<()> {
    let (seq, level) = (candidate.seq, candidate.new.priority.level());
    ledger.conn.prepare_cached(SET_ASIDE)?.execute([seq])?;
    let place = (queue.id(), closed.gate.to_string(), !closed.first, level, seq);
    ledger.conn.prepare_cached(HOLD)?.execute(place)?;
    Ok(())
}

/// Takes those back into a line for whom there may be room now, from each gate as many as the claim may take. How many they
/// were.
fn look_again(ledger: &mut Ledger<'_>, queue: QueueRef, name: &QueueName, claim: &Claim) -> Checked<usize> {
    let (mut all, mut stay) = (0, Vec::new());
    while all < TAKEN_BACK_MAX
        && let Some(gate) = ledger.mirror.keeper.opened(name, claim, ledger.now)
    {
        let room = usize::try_from(ledger.mirror.keeper.room_back(&gate, ledger.now)).unwrap_or(usize::MAX);
        let most = room.min(claim.limit.max(1));
        match take_back(ledger, queue, &gate, most, &mut all)? {
            true => stay.push((gate, room > most)),
            false => ledger.mirror.keeper.wait_no_more(name, &gate),
        }
    }
    // Not before, or those gates would be looked at again and again.
    for (gate, room) in stay {
        ledger.mirror.keeper.wait_on(name, gate, room, ledger.now);
    }
    Ok(all)
}

/// Whether some still wait there.
fn take_back(ledger: &mut Ledger<'_>, queue: QueueRef, gate: &Gate, most: usize, all: &mut usize) -> Checked<bool> {
    let (text, shared) = (gate.to_string(), ledger.mirror.shared(queue));
    let mut back = 0;
    loop {
        let wanted = most - back;
        let one_more = i64::try_from(wanted).unwrap_or(i64::MAX).saturating_add(1);
        let conn = ledger.conn;
        let mut held = conn.prepare_cached(HELD)?;
        let found = held.query_map((queue.id(), &text, one_more), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let found: Vec<(i64, i64, i64)> = found.collect::<Result<_, _>>()?;
        for (behind, priority, seq) in found.iter().take(wanted) {
            ledger.conn.prepare_cached(LET_GO)?.execute((queue.id(), &text, behind, priority, seq))?;
            // A job that was canceled meanwhile stays where it is, and the next one has its room.
            let stands = ledger.conn.prepare_cached(TAKE_BACK)?.execute([seq])?;
            back += stands;
            if let Some(name) = shared.as_ref().filter(|_| stands > 0) {
                turns::come_back(ledger, queue, name, *seq)?;
            }
        }
        if back == most || found.len() <= wanted {
            *all += back;
            return Ok(found.len() > wanted);
        }
    }
}

/// An attempt of a job in this line has ended.
pub(crate) fn end(ledger: &mut Ledger<'_>, id: JobId, queue: QueueRef, status: Status) -> Checked<()> {
    ledger.mirror.leave_line(queue, ledger.now);
    leave(ledger, id, status)
}

/// A job that had slots has none any more, but for those that it keeps until it has finished.
fn leave(ledger: &mut Ledger<'_>, id: JobId, status: Status) -> Checked<()> {
    let keeper = &mut ledger.mirror.keeper;
    if keeper.is_idle() {
        return Ok(());
    }
    let kept = keeper.leave(id, status.is_finished(), ledger.now);
    if status.is_finished() && keeper.has_order() {
        ledger.conn.prepare_cached(FREE_SLOTS)?.execute([id.as_bytes()])?;
    }
    for gate in kept {
        ledger.conn.prepare_cached(KEEP_SLOT)?.execute((id.as_bytes(), gate.to_string()))?;
    }
    Ok(())
}

/// A job that waited has been canceled: the room that it was to have is for others.
pub(crate) fn withdraw(ledger: &mut Ledger<'_>, queue: QueueRef, seq: i64, new: &NewJob) -> Checked<()> {
    leave(ledger, new.id, Status::Canceled)?;
    turns::withdraw(ledger, queue, seq, new)?;
    if !ledger.mirror.keeper.is_idle() {
        ledger.mirror.keeper.pass_on(new, ledger.now);
    }
    Ok(())
}

/// Writes the buckets that have changed.
pub(crate) fn keep_buckets(ledger: &mut Ledger<'_>) -> Checked<()> {
    for (gate, Bucket(full_at)) in ledger.mirror.keeper.changed_buckets() {
        ledger.conn.prepare_cached(WRITE_BUCKET)?.execute((gate.to_string(), full_at.as_micros()))?;
    }
    Ok(())
}

/// Forgets buckets that are full.
pub(crate) fn sweep(ledger: &mut Ledger<'_>) -> Checked<()> {
    if !ledger.mirror.keeper.is_idle() {
        ledger.mirror.keeper.sweep(ledger.now);
        ledger.conn.prepare_cached(PRUNE_BUCKETS)?.execute([ledger.now.as_micros()])?;
    }
    Ok(())
}
