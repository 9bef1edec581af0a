//! Exchange: a turn as one script.

use std::time::Duration;

use redis::{Cmd, Value};
use windlass_core::{JobName, Timestamp};
use windlass_store::{Claim, Claimed, ClaimedJob, Exchange, Exchanged, Extend, Extension, Lease, Token, codec};

use crate::answer::{bytes, exactly, groups, list, number, one_or_two, some_bytes};
use crate::asking::Asking;
use crate::expiry;
use crate::fault::Checked;
use crate::record::{self, First, State, micros};
use crate::scripts::Script;
use crate::settle::{self, Endings};
use crate::submit::{self, Group};

/// Settles, extends, submits and claims.
pub(crate) async fn exchange(asking: &Asking<'_>, turn: &Exchange) -> Checked<Exchanged> {
    if turn.is_empty() {
        return Ok(Exchanged::default());
    }
    expiry::note_turn(asking, turn).await?;
    if asking.replicas.is_some()
        && let Some(claim) = &turn.claim
    {
        return one_by_one(asking, turn, claim).await;
    }
    at_once(asking, turn).await
}

/// With replicas to be waited for, a claim goes by itself: it is nothing that anybody is told of, and jobs whose claim had
/// to be taken for failed would count as crashed.
async fn one_by_one(asking: &Asking<'_>, turn: &Exchange, claim: &Claim) -> Checked<Exchanged> {
    let rest = Exchange { claim: None, ..turn.clone() };
    let told = if rest.is_empty() { Exchanged::default() } else { at_once(asking, &rest).await? };
    let unconfirmed = Asking { replicas: None, ..*asking };
    let claimed = at_once(&unconfirmed, &Exchange { claim: Some(claim.clone()), ..Exchange::default() }).await?;
    Ok(Exchanged { claimed: claimed.claimed, ..told })
}

async fn at_once(asking: &Asking<'_>, turn: &Exchange) -> Checked<Exchanged> {
    let endings = Endings::of(&turn.settle)?;
    let reports = turn.extend.iter().map(report).collect::<Checked<Vec<_>>>()?;
    let groups = Group::all(&turn.submit)?;
    let unique = brings_unique(turn);
    let write = |question: &mut Cmd, unique: bool| {
        let write_group = |group: &Group<'_>, question: &mut Cmd| match unique {
            true => group.write_unique(question),
            false => group.write(question),
        };
        endings.write(question, write_group);
        write_extends(question, &turn.extend, &reports);
        question.arg(groups.len());
        match turn.queue_limit {
            Some(limit) => question.arg(limit),
            None => question.arg(""),
        };
        groups.iter().for_each(|group| write_group(group, question));
        if let Some(claim) = &turn.claim {
            write_claim(question, claim);
        }
    };
    // A claim for some handlers leaves others' jobs at their gates.
    let for_some = turn.claim.as_ref().is_some_and(|claim| claim.handlers.is_some());
    if !asking.keys.is_ruled() && !for_some {
        match run(asking, turn, unique, |question| write(question, unique)).await? {
            Value::Nil => asking.keys.note_rules(),
            answer => return read(turn, answer),
        }
    }
    read(turn, run_through_gates(asking, turn, |question| write(question, true)).await?)
}

/// A turn where rules are set.
async fn run_through_gates(asking: &Asking<'_>, turn: &Exchange, write: impl Fn(&mut Cmd)) -> Checked<Value> {
    let scripts = asking.scripts;
    if !turn.submit.is_empty() {
        match asking.run_acknowledged(&scripts.exchange_gates, &write).await {
            Err(fault) if fault.is_full() => {}
            answer => return answer,
        }
    }
    asking.run_acknowledged(&scripts.exchange_gates_when_full, &write).await
}

/// A turn that brings no jobs needs no room, and one whose jobs find none is tried again without them: they are refused,
/// and whatever else is in it makes room.
async fn run(asking: &Asking<'_>, turn: &Exchange, unique: bool, write: impl Fn(&mut Cmd)) -> Checked<Value> {
    let scripts = asking.scripts;
    let for_jobs = match unique {
        true => [&scripts.exchange_unique; 2],
        false => [script(asking, turn), &scripts.exchange],
    };
    for script in for_jobs.into_iter().filter(|_| !turn.submit.is_empty()) {
        match asking.run_acknowledged(script, &write).await {
            // It can do too little for this turn, and has done nothing.
            Ok(Value::Nil) => {}
            Err(fault) if fault.is_full() => break,
            answer => return answer,
        }
    }
    let without = if unique { &scripts.exchange_unique_when_full } else { &scripts.exchange_when_full };
    asking.run_acknowledged(without, &write).await
}

/// Whether any job of a turn is unique, submitted or emitted.
fn brings_unique(turn: &Exchange) -> bool {
    let emitted = turn.settle.iter().flat_map(|settlement| &settlement.emitted);
    turn.submit.iter().chain(emitted).any(|new| new.unique().is_some())
}

/// The quickest script for a turn that brings jobs.
fn script(asking: &Asking<'_>, turn: &Exchange) -> &'static Script {
    let (scripts, alone) = (asking.scripts, !asking.keys.is_shard());
    let nothing_else = turn.settle.is_empty() && turn.extend.is_empty();
    match turn.submit.len() {
        1 if nothing_else && alone => &scripts.submit_one,
        _ if nothing_else && turn.claim.is_none() => &scripts.submit,
        _ => &scripts.exchange,
    }
}

fn report(extend: &Extend) -> Checked<Vec<u8>> {
    Ok(extend.progress.as_ref().map(codec::seal).transpose()?.unwrap_or_default())
}

fn write_extends(question: &mut Cmd, extends: &[Extend], reports: &[Vec<u8>]) {
    question.arg(extends.len());
    for (extend, report) in extends.iter().zip(reports) {
        question.arg(extend.lease.id.as_bytes()).arg(extend.lease.token.0);
        question.arg(micros(extend.duration)).arg(report);
    }
}

fn write_claim(question: &mut Cmd, claim: &Claim) {
    question.arg(claim.limit).arg(claim.suspects).arg(micros(claim.lease)).arg(claim.worker.as_bytes());
    for queue in &claim.queues {
        question.arg(queue.as_str());
    }
    if let Some(handlers) = &claim.handlers {
        let names: Vec<&str> = handlers.iter().map(JobName::as_str).collect();
        question.arg(format!("\u{1}{}", names.join("\n")));
    }
}

fn read(turn: &Exchange, answer: Value) -> Checked<Exchanged> {
    let [now, fates, extended, outcomes, standing, claimed, more, next_due] = exactly(answer)?;
    let now = number(&now)?;
    let jobs = groups::<3>(claimed)?.into_iter().map(|job| claimed_job(job, now)).collect::<Checked<_>>()?;
    let next_due = u64::try_from(number(&next_due)?).ok().map(Duration::from_micros);
    Ok(Exchanged {
        fates: settle::fates(fates)?,
        extended: list(extended)?.iter().map(extension).collect::<Checked<_>>()?,
        submitted: submit::outcomes(&turn.submit, now, outcomes, standing)?,
        claimed: Claimed { jobs, next_due, more: number(&more)? == 1, ..Claimed::default() },
    })
}

fn extension(answer: &Value) -> Checked<Extension> {
    Ok(match number(answer)? {
        0 => Extension::Lost,
        1 => Extension::Kept,
        _ => Extension::CancelRequested,
    })
}

fn claimed_job([id, state, submitted]: [Value; 3], now: i64) -> Checked<ClaimedJob> {
    let first = First::read(record::id(&bytes(id)?)?, &one_or_two(submitted)?)?;
    let state = some_bytes(state)?.map(|state| State::read(&state)).transpose()?;
    // What running_first in layout.lua gives a job that nothing has happened to.
    let (token, retries, crashes) =
        state.map_or((Token(now.max(0) as u64), 0, 0), |state| (state.token, state.retries, state.crashes));
    Ok(ClaimedJob {
        lease: Lease { id: first.new.id, token },
        new: first.new.into(),
        retries,
        crashes,
        created_at: first.created_at,
        started_at: Timestamp::from_micros(now),
    })
}
