//! Gates: the rules that scripts go by. They hold in one shard; a store that is spread keeps pauses only.

use std::collections::HashMap;

use redis::Value;
use windlass_core::gate::{Edit, Rule};
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Gate, Rate, Status};
use windlass_store::{Ruled, codec};

use crate::answer::{bytes, exactly, groups, number};
use crate::asking::Asking;
use crate::fault::{Checked, Fault};
use crate::record::micros;

/// How often an edit is tried that another one was faster than.
const RACES_MAX: usize = 100;

/// As `lua/gates.lua` lays it out, in front of what is read here.
const FIGURES: usize = 1 + 8 + 1 + 3 * 8;

fn pack(rule: &Rule) -> Checked<Vec<u8>> {
    let limits = rule.limits;
    let number = |number: Option<i64>, none: f64| number.map_or(none, |number| number as f64).to_le_bytes();
    let mut packed = vec![u8::from(rule.paused.is_some())];
    packed.extend(number(limits.running.map(i64::from), -1.0));
    packed.push(u8::from(limits.in_order));
    packed.extend(number(limits.rate.as_ref().map(Rate::interval_micros), 0.0));
    packed.extend(number(limits.rate.as_ref().map(Rate::tolerance_micros), 0.0));
    packed.extend(number(limits.rate.map(|rate| micros(rate.patience())), 0.0));
    packed.extend(codec::seal(rule)?);
    Ok(packed)
}

fn unpack(packed: &[u8]) -> Checked<Rule> {
    let sealed = packed.get(FIGURES..).ok_or_else(|| Fault::corrupt("a rule is shorter than it says"))?;
    Ok(codec::unseal("rule", sealed)?)
}

/// What is kept.
struct Kept {
    rules: Vec<(Gate, Vec<u8>)>,
    taken: HashMap<Gate, u64>,
    /// How many jobs run in each queue.
    running: HashMap<String, u64>,
}

impl Kept {
    /// Slots of the gates of queues and of everything are not kept, but where jobs keep theirs: who runs there is counted anyway.
    fn taken_at(&self, gate: &Gate, rule: &Rule) -> u64 {
        let counted = rule.limits.running.is_some() && !rule.limits.in_order;
        match gate {
            Gate::Everything if counted => self.running.values().sum(),
            Gate::Queue(queue) if counted => self.running.get(queue.as_str()).copied().unwrap_or(0),
            _ => self.taken.iter().filter(|(at, _)| gate.covers(at)).map(|(_, taken)| taken).sum(),
        }
    }
}

async fn read(asking: &Asking<'_>) -> Checked<Kept> {
    let answer = asking.run(&asking.scripts.gates_list, |_| ()).await?;
    let [rules, taken, counts] = exactly(answer)?;
    let rules = groups::<2>(rules)?.into_iter().map(|[gate, rule]| Ok((bytes(gate)?, bytes(rule)?)));
    let rules = rules.collect::<Checked<Vec<_>>>()?;
    // What else is there is for scripts.
    let rules = rules.into_iter().filter(|(gate, _)| gate.first().is_some_and(|first| *first > 3));
    let taken = groups::<2>(taken)?.into_iter().map(|[gate, taken]| Ok((parse(&bytes(gate)?)?, count(&taken)?)));
    Ok(Kept {
        rules: rules.map(|(gate, rule)| Ok((parse(&gate)?, rule))).collect::<Checked<_>>()?,
        taken: taken.collect::<Checked<_>>()?,
        running: groups::<2>(counts)?
            .into_iter()
            .filter_map(|[field, count]| running(field, &count).transpose())
            .collect::<Checked<_>>()?,
    })
}

/// The queue that a count of running jobs is of, and the count; nothing for other counts.
fn running(field: Value, number: &Value) -> Checked<Option<(String, u64)>> {
    let field = bytes(field)?;
    let queue = field.strip_prefix(Status::InProgress.code().to_string().as_bytes());
    let Some(queue) = queue.and_then(|queue| std::str::from_utf8(queue).ok()) else { return Ok(None) };
    Ok(Some((queue.to_owned(), count(number)?)))
}

fn parse(text: &[u8]) -> Checked<Gate> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::corrupt("a gate has no name"))?;
    Ok(text.parse()?)
}

fn count(value: &Value) -> Checked<u64> {
    Ok(u64::try_from(number(value)?).unwrap_or(0))
}

/// Changes the rule at a gate; tries again when somebody else was faster.
pub(crate) async fn edit(asking: &Asking<'_>, gate: &Gate, edit: &Edit) -> Checked<()> {
    for _ in 0..RACES_MAX {
        let kept = match edit {
            Edit::Hold(_) => None,
            _ => read(asking).await?.rules.into_iter().find(|(at, _)| at == gate).map(|(_, packed)| packed),
        };
        let rule = kept.as_deref().map(unpack).transpose()?.unwrap_or_default().edited(edit);
        let packed = if rule.is_none() { Vec::new() } else { pack(&rule)? };
        let share = rule.share.by.clone().or_else(|| rule.share.weight.map(|weight| weight.to_string()));
        let share = share.unwrap_or_default();
        let backlog = rule.backlog.most.map(|most| format!("{most} {}", u8::from(rule.backlog.drops)));
        let aging = rule.aging.map(|span| micros(span).to_string());
        let hold = match edit {
            Edit::Hold(span) => micros(*span).to_string(),
            _ => String::new(),
        };
        let answer = asking.run_acknowledged(&asking.scripts.gate_edit, |question| {
            question.arg(gate.to_string()).arg(kept.as_deref().unwrap_or_default()).arg(&packed);
            question.arg(u8::from(matches!(edit, Edit::Limit(_)))).arg(&hold).arg(&share);
            question.arg(backlog.as_deref().unwrap_or_default()).arg(aging.as_deref().unwrap_or_default());
        });
        if number(&answer.await?)? == 1 {
            return Ok(());
        }
    }
    Err(Fault::unavailable(format!("the rule at {gate} changes faster than it can be edited")))
}

/// The gates that have rules, by their text, behind `after`.
pub(crate) async fn list(asking: &Asking<'_>, after: Option<&Gate>, limit: usize) -> Checked<Vec<Ruled>> {
    let mut kept = read(asking).await?;
    let after = after.map(Gate::to_string);
    let rules = std::mem::take(&mut kept.rules);
    let mut rules: Vec<_> = rules.into_iter().map(|(gate, packed)| (gate.to_string(), gate, packed)).collect();
    rules.retain(|(text, ..)| after.as_ref().is_none_or(|after| text > after));
    rules.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let page = rules.into_iter().take(limit.min(PAGE_MAX));
    page.map(|(_, gate, packed)| {
        let rule = unpack(&packed)?;
        Ok(Ruled { taken: kept.taken_at(&gate, &rule), rule, gate })
    })
    .collect()
}
