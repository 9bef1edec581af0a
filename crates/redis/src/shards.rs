//! A store that is spread among several shards: which job is where, and how one turn becomes several.
//!
//! Ids say where their jobs are, and a job that is emitted is where its parent is, so that they commit together. What a turn
//! tells goes to the shards it is about; then the claim goes to all of them side by side, in rotation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::{join_all, try_join_all};
use windlass_core::{Job, JobId, QueueName};
use windlass_store::{Claim, Claimed, ClaimedJob, Exchange, Exchanged, Imported, Retention, Swept};

use crate::asking::{Asking, Keys};
use crate::fault::{Checked, Fault};
use crate::{exchange, import, sweep};

/// A claim waits for a silent shard this part of its lease: the leases that others gave meanwhile run already.
const PATIENCE: u32 = 6;

/// The keys of each shard, and whose turn it is to be asked first.
pub(crate) struct Shards {
    keys: Vec<Keys>,
    rotation: AtomicUsize,
    /// Whether a shard gave no work when others did, as far as the log knows.
    lame: AtomicBool,
}

impl Shards {
    pub(crate) fn of(prefix: &str, shards: usize) -> Self {
        let keys = match shards {
            1 => vec![Keys::of(prefix)],
            _ => (0..shards).map(|shard| Keys::of_shard(prefix, shard, shards)).collect(),
        };
        Self { keys, rotation: AtomicUsize::new(0), lame: AtomicBool::new(false) }
    }

    /// All of them, each as `asking` asks.
    pub(crate) fn all<'a>(&'a self, asking: &Asking<'a>) -> Vec<Asking<'a>> {
        self.keys.iter().map(|keys| Asking { keys, ..*asking }).collect()
    }

    /// The one that has the job, if anyone has.
    pub(crate) fn with<'a>(&'a self, id: JobId, asking: &Asking<'a>) -> Asking<'a> {
        Asking { keys: &self.keys[place(id, self.keys.len())], ..*asking }
    }

    /// The one that is asked first this time.
    fn first(&self) -> usize {
        self.rotation.fetch_add(1, Ordering::Relaxed) % self.keys.len()
    }

    pub(crate) async fn exchange(&self, asking: &Asking<'_>, turn: &Exchange) -> Checked<Exchanged> {
        if let [keys] = self.keys.as_slice() {
            return exchange::exchange(&Asking { keys, ..*asking }, turn).await;
        }
        let all = self.all(asking);
        let told = tell(&all, turn).await?;
        let claimed = match &turn.claim {
            Some(claim) => self.note(Round::new(&all, self.first(), claim).play().await?),
            None => Claimed::default(),
        };
        Ok(Exchanged { claimed, ..told })
    }

    /// Says when a shard begins to fail, and when none does any more.
    fn note(&self, (claimed, fault): (Claimed, Option<Fault>)) -> Claimed {
        let was_lame = self.lame.swap(fault.is_some(), Ordering::Relaxed);
        match fault.map(windlass_store::Error::from) {
            Some(error) if !was_lame => tracing::error!(%error, "a shard gives no work; the others do"),
            None if was_lame => tracing::info!("all shards give work again"),
            _ => {}
        }
        claimed
    }

    pub(crate) async fn import(&self, asking: &Asking<'_>, jobs: Vec<Job>) -> Checked<Vec<Imported>> {
        let mut parts: BTreeMap<usize, (Vec<usize>, Vec<Job>)> = BTreeMap::new();
        let mut answers = vec![Imported::Refused; jobs.len()];
        for (index, job) in jobs.into_iter().enumerate() {
            let (indexes, part) = parts.entry(place(job.new.id, self.keys.len())).or_default();
            indexes.push(index);
            part.push(job);
        }
        for (shard, (indexes, part)) in parts {
            let imported = import::import(&Asking { keys: &self.keys[shard], ..*asking }, &part).await?;
            put(&mut answers, &indexes, imported)?;
        }
        Ok(answers)
    }

    /// Does at most `limit` of each, one shard after the other, and begins with another one each time.
    pub(crate) async fn sweep(&self, asking: &Asking<'_>, limit: usize, retention: Retention) -> Checked<Swept> {
        let (all, first) = (self.all(asking), self.first());
        let mut swept = Swept::default();
        for shard in all[first..].iter().chain(&all[..first]) {
            swept = sweep::sweep(shard, limit, retention, swept).await?;
        }
        Ok(swept)
    }
}

/// Which of so many shards has the job: its last byte says, which is random in ids that Windlass makes, or the parent's.
fn place(id: JobId, shards: usize) -> usize {
    let [.., last] = *id.as_bytes();
    usize::from(last) % shards
}

/// As even as can be, the first ones the larger.
fn shares(whole: usize, parts: usize) -> Vec<usize> {
    (0..parts).map(|part| whole / parts + usize::from(part < whole % parts)).collect()
}

/// A shard's part of what a turn tells, and where its answers belong.
#[derive(Default)]
struct Part {
    turn: Exchange,
    settle: Vec<usize>,
    extend: Vec<usize>,
    submit: Vec<usize>,
}

/// Everything but the claim. The parts are told side by side; when one fails the turn has, and whoever asks again finds what
/// the others did.
async fn tell(all: &[Asking<'_>], turn: &Exchange) -> Checked<Exchanged> {
    let parts = parts(turn, all.len())?;
    let answers = parts.iter().map(|(shard, part)| exchange::exchange(&all[*shard], &part.turn));
    let answers = join_all(answers).await.into_iter().collect::<Checked<Vec<_>>>()?;
    let mut gathered = (vec![None; turn.settle.len()], vec![None; turn.extend.len()], vec![None; turn.submit.len()]);
    for (part, answer) in parts.values().zip(answers) {
        put(&mut gathered.0, &part.settle, answer.fates.into_iter().map(Some).collect())?;
        put(&mut gathered.1, &part.extend, answer.extended.into_iter().map(Some).collect())?;
        put(&mut gathered.2, &part.submit, answer.submitted.into_iter().map(Some).collect())?;
    }
    let (fates, extended, submitted) = gathered;
    Ok(Exchanged {
        fates: whole(fates)?,
        extended: whole(extended)?,
        submitted: whole(submitted)?,
        claimed: Claimed::default(),
    })
}

fn parts(turn: &Exchange, shards: usize) -> Checked<BTreeMap<usize, Part>> {
    let mut parts: BTreeMap<usize, Part> = BTreeMap::new();
    for (index, settlement) in turn.settle.iter().enumerate() {
        let shard = place(settlement.lease.id, shards);
        if settlement.emitted.iter().any(|new| place(new.id, shards) != shard) {
            return Err(Fault::config("the id of an emitted job is not derived from its parent's (JobId::emitted)"));
        }
        let part = parts.entry(shard).or_default();
        part.settle.push(index);
        part.turn.settle.push(settlement.clone());
    }
    for (index, extend) in turn.extend.iter().enumerate() {
        let part = parts.entry(place(extend.lease.id, shards)).or_default();
        part.extend.push(index);
        part.turn.extend.push(extend.clone());
    }
    for (index, new) in turn.submit.iter().enumerate() {
        let part = parts.entry(place(new.id, shards)).or_default();
        part.submit.push(index);
        part.turn.submit.push(new.clone());
        part.turn.queue_limit = turn.queue_limit.map(|limit| limit.div_ceil(shards as u64));
    }
    Ok(parts)
}

/// Puts a shard's answers where they belong among all.
fn put<T>(all: &mut [T], places: &[usize], answers: Vec<T>) -> Checked<()> {
    if places.len() != answers.len() {
        return Err(missing());
    }
    for (place, answer) in places.iter().zip(answers) {
        all[*place] = answer;
    }
    Ok(())
}

fn whole<T>(answers: Vec<Option<T>>) -> Checked<Vec<T>> {
    answers.into_iter().collect::<Option<_>>().ok_or_else(missing)
}

fn missing() -> Fault {
    Fault::corrupt("a shard did not answer for everything it was told")
}

/// One claim among all shards.
struct Round<'a> {
    shards: &'a [Asking<'a>],
    claim: &'a Claim,
    seats: Vec<Seat>,
    jobs: Vec<ClaimedJob>,
    suspects: usize,
    failed: Option<Fault>,
}

/// What is known of a shard.
struct Seat {
    shard: usize,
    /// What it said last; nothing yet, or nothing at all when it failed.
    said: Option<Claimed>,
    /// Whether it has been asked for suspects.
    asked_for_suspects: bool,
    /// Whether it gave all that it was asked for, so that it may have more.
    gave_all: bool,
}

impl<'a> Round<'a> {
    fn new(shards: &'a [Asking<'a>], first: usize, claim: &'a Claim) -> Self {
        let seat =
            |turn| Seat { shard: (first + turn) % shards.len(), said: None, asked_for_suspects: false, gave_all: true };
        let seats = (0..shards.len()).map(seat).collect();
        Self { shards, claim, seats, jobs: Vec::new(), suspects: claim.suspects, failed: None }
    }

    /// Asks all for their share, then those that have more for what the others lacked. A shard that fails is left out as
    /// long as another answers: what has been claimed must reach whoever claimed it.
    async fn play(mut self) -> Checked<(Claimed, Option<Fault>)> {
        let everyone = (0..self.seats.len()).collect();
        self.ask(everyone).await;
        while self.jobs.len() < self.claim.limit {
            let next = self.promising();
            if next.is_empty() {
                break;
            }
            self.ask(next).await;
        }
        match self.failed.take() {
            Some(fault) if self.seats.iter().all(|seat| seat.said.is_none()) && self.jobs.is_empty() => Err(fault),
            fault => Ok((Claimed { unheard: fault.is_some(), ..self.outcome() }, fault)),
        }
    }

    fn promising(&self) -> Vec<usize> {
        let may_have_suspects = |seat: &Seat| self.suspects > 0 && !seat.asked_for_suspects;
        let has_more = |seat: &Seat| seat.said.as_ref().is_some_and(|said| said.more);
        let promises = |seat: &Seat| has_more(seat) && (seat.gave_all || may_have_suspects(seat));
        (0..self.seats.len()).filter(|index| promises(&self.seats[*index])).collect()
    }

    async fn ask(&mut self, seats: Vec<usize>) {
        let shares = shares(self.claim.limit - self.jobs.len(), seats.len());
        // One at a time may bring suspects, so that they are never too many together.
        let bold = seats.iter().copied().find(|index| self.suspects > 0 && !self.seats[*index].asked_for_suspects);
        let claims = seats.iter().zip(&shares).map(|(index, share)| {
            let suspects = if bold == Some(*index) { self.suspects } else { 0 };
            let turn = Exchange {
                claim: Some(Claim { limit: *share, suspects, ..self.claim.clone() }),
                ..Exchange::default()
            };
            let (shard, patience) = (&self.shards[self.seats[*index].shard], self.claim.lease / PATIENCE);
            async move {
                let answer = tokio::time::timeout(patience, exchange::exchange(shard, &turn)).await;
                answer.unwrap_or_else(|_| Err(Fault::unavailable(format!("a shard has said nothing for {patience:?}"))))
            }
        });
        let answers = join_all(claims).await;
        for ((index, share), answer) in seats.into_iter().zip(shares).zip(answers) {
            self.seats[index].asked_for_suspects |= bold == Some(index);
            match answer {
                Ok(answer) => self.take(index, share, answer.claimed),
                Err(fault) => {
                    self.seats[index].said = None;
                    self.failed = Some(fault);
                }
            }
        }
    }

    fn take(&mut self, index: usize, share: usize, mut claimed: Claimed) {
        let jobs = std::mem::take(&mut claimed.jobs);
        self.suspects -= jobs.iter().filter(|job| job.is_suspect()).count().min(self.suspects);
        let seat = &mut self.seats[index];
        seat.gave_all = jobs.len() == share;
        seat.said = Some(claimed);
        self.jobs.extend(jobs);
    }

    /// All jobs, in the order of a claim as far as it can be told.
    fn outcome(mut self) -> Claimed {
        let place = |queue: &QueueName| self.claim.queues.iter().position(|named| named == queue);
        self.jobs.sort_by_key(|job| (!job.is_suspect(), place(&job.new.queue), job.new.priority, job.created_at));
        let said = || self.seats.iter().filter_map(|seat| seat.said.as_ref());
        let (next_due, more) = (said().filter_map(|said| said.next_due).min(), said().any(|said| said.more));
        Claimed { jobs: self.jobs, next_due, more, unheard: false }
    }
}

/// Asks every shard the same.
pub(crate) async fn ask_all<'a, T, F: Future<Output = Checked<T>>>(
    all: &'a [Asking<'a>],
    ask: impl Fn(&'a Asking<'a>) -> F,
) -> Checked<Vec<T>> {
    try_join_all(all.iter().map(ask)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_complete() {
        assert_eq!(shares(10, 4), [3, 3, 2, 2]);
        assert_eq!(shares(2, 4), [1, 1, 0, 0]);
        assert_eq!(shares(0, 3), [0, 0, 0]);
    }

    #[test]
    fn an_emitted_job_is_where_its_parent_is() {
        for last in 0..=u8::MAX {
            let parent = JobId::from_bytes([last; 16]);
            for shards in 1..=64 {
                assert_eq!(place(parent, shards), place(parent.emitted(7), shards));
            }
        }
    }
}
