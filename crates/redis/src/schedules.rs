//! Schedules: each with its jobs in one shard, so that a tick is one script.

use redis::Value;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{ScheduleName, Timestamp};
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};

use crate::answer::{bytes, exactly, groups, number};
use crate::asking::Asking;
use crate::expiry;
use crate::fault::{Checked, Fault};
use crate::record::Bytes;
use crate::submit::Group;

/// Writes a schedule's next state and submits what goes with it, if nobody was faster.
pub(crate) async fn write(asking: &Asking<'_>, write: &Write) -> Checked<Option<Revision>> {
    let groups = Group::all(&write.jobs)?;
    expiry::note(asking, write.jobs.iter().map(|new| &**new)).await?;
    let answer = asking.run_acknowledged(&asking.scripts.schedule_write, |question| {
        question.arg(write.name.as_str()).arg(write.expected.map(|revision| revision.0).map_or(Vec::new(), digits));
        question.arg(write.due.map(Timestamp::as_micros).map_or(Vec::new(), digits)).arg(&write.record);
        question.arg(groups.len());
        groups.iter().for_each(|group| group.write_unique(question));
    });
    match answer.await? {
        Value::Nil => Ok(None),
        revision => Ok(Some(Revision(number(&revision)?.unsigned_abs()))),
    }
}

fn digits(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

pub(crate) async fn find(asking: &Asking<'_>, name: &ScheduleName) -> Checked<Option<Kept>> {
    Ok(look(asking, &["find", name.as_str()]).await?.schedules.pop())
}

/// A page of a shard's, by name.
pub(crate) async fn list(asking: &Asking<'_>, after: Option<&ScheduleName>, limit: usize) -> Checked<Vec<Kept>> {
    let after = after.map_or("", ScheduleName::as_str);
    Ok(look(asking, &["list", after, &limit.min(PAGE_MAX).to_string()]).await?.schedules)
}

/// What of a shard is due, and when its next one is.
pub(crate) async fn due(asking: &Asking<'_>, limit: usize) -> Checked<DueSchedules> {
    look(asking, &["due", &limit.min(PAGE_MAX).to_string()]).await
}

pub(crate) async fn remove(asking: &Asking<'_>, name: &ScheduleName) -> Checked<bool> {
    let answer = asking.run_acknowledged(&asking.scripts.schedule_remove, |question| {
        question.arg(name.as_str());
    });
    Ok(number(&answer.await?)? == 1)
}

/// What several shards say, as one.
pub(crate) fn due_of_all(said: Vec<DueSchedules>, limit: usize) -> DueSchedules {
    // Their servers' clocks differ: by the earliest nobody looks again before there is something to see.
    let at = said.iter().map(|due| due.at).min().unwrap_or_default();
    let mut all = DueSchedules { at, ..DueSchedules::default() };
    for due in said {
        all.schedules.extend(due.schedules);
        all.next = all.next.into_iter().chain(due.next).min();
    }
    all.schedules.sort_by(|one, other| (one.due, &one.name).cmp(&(other.due, &other.name)));
    let beyond = all.schedules.get(limit).and_then(|kept| kept.due);
    all.next = all.next.into_iter().chain(beyond).min();
    all.schedules.truncate(limit);
    all
}

async fn look(asking: &Asking<'_>, what: &[&str]) -> Checked<DueSchedules> {
    let answer = asking.run(&asking.scripts.schedules, |question| {
        question.arg(what);
    });
    let [now, found, next] = exactly(answer.await?)?;
    let next = Some(number(&next)?).filter(|next| *next != -1).map(Timestamp::from_micros);
    let schedules = groups::<2>(found)?.into_iter().map(kept).collect::<Checked<_>>()?;
    Ok(DueSchedules { at: Timestamp::from_micros(number(&now)?), schedules, next })
}

fn kept([name, kept]: [Value; 2]) -> Checked<Kept> {
    let (name, kept) = (bytes(name)?, bytes(kept)?);
    let name = std::str::from_utf8(&name).map_err(|_| Fault::corrupt("a schedule has no name"))?;
    let mut kept = Bytes(&kept);
    let revision = Revision(kept.whole_number()?);
    let [is_due] = kept.array()?;
    let due = kept.moment()?;
    Ok(Kept { name: ScheduleName::new(name)?, revision, due: (is_due == 1).then_some(due), record: kept.0.to_vec() })
}
