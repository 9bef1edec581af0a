//! The bytes that are kept: where a job stands, which scripts write, and what was submitted, of which they read the beginning.

use std::time::Duration;

use windlass_core::{
    Attempt, AttemptOutcome, Incarnation, Job, JobId, JobName, Key, NewJob, Owner, Payload, Priority, QueueName,
    Status, Timestamp,
};
use windlass_store::codec::{Spec, payload_of, seal, unseal};
use windlass_store::{Lease, Token};

use crate::fault::{Checked, Fault};

/// What is kept of a job from the beginning, as `lua/layout.lua` lays it out.
pub(crate) struct First {
    status: Status,
    at: Timestamp,
    pub(crate) seq: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) new: NewJob,
}

/// Where a job stands, as `lua/layout.lua` lays it out.
pub(crate) struct State {
    pub(crate) status: Status,
    pub(crate) updated_at: Timestamp,
    /// When it is due, or when its lease ends.
    pub(crate) at: Timestamp,
    pub(crate) token: Token,
    pub(crate) started_at: Timestamp,
    /// `None` when no worker ever had it.
    pub(crate) worker: Option<Incarnation>,
    pub(crate) retries: u32,
    pub(crate) crashes: u32,
    pub(crate) cancel_requested: bool,
}

/// The part of a job's origin that comes with it: crashes at most, queue, name, owner and keys, behind their length.
fn fixed(new: &NewJob) -> Vec<u8> {
    let owner = new.owner.as_ref().map_or("", Owner::as_str);
    let keys = new.keys().iter().map(Key::as_str).collect::<Vec<_>>().join("\n");
    let keys_length = if keys.is_empty() { 0 } else { keys.len() + 1 };
    let length = 4 + new.queue.as_str().len() + new.name.as_str().len() + owner.len() + 3 + keys_length;
    let mut bytes = Vec::with_capacity(2 + length);
    bytes.extend_from_slice(&(length as u16).to_le_bytes());
    bytes.extend_from_slice(&new.retry.max_crashes.to_le_bytes());
    for text in [new.queue.as_str(), new.name.as_str(), owner] {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    if !keys.is_empty() {
        bytes.extend_from_slice(keys.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// What was submitted: the job's [`fixed`], the rest behind its length, and the payload. Scripts keep in front of it where the
/// job stood at first.
pub(crate) fn submitted(new: &NewJob) -> Checked<Vec<u8>> {
    let (fixed, spec) = (fixed(new), Spec::encode(new)?);
    let mut bytes = Vec::with_capacity(4 + fixed.len() + spec.len() + new.payload.bytes.len());
    bytes.extend_from_slice(&fixed);
    bytes.extend_from_slice(&(spec.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&spec);
    bytes.extend_from_slice(&new.payload.bytes);
    Ok(bytes)
}

/// A handler's result; nothing at all is kept of one that returned nothing.
pub(crate) fn result(result: &Payload) -> Vec<u8> {
    if result.is_empty() && result.content_type.is_empty() {
        return Vec::new();
    }
    let mut bytes = Vec::with_capacity(2 + result.content_type.len() + result.bytes.len());
    bytes.extend_from_slice(&(result.content_type.len() as u16).to_le_bytes());
    bytes.extend_from_slice(result.content_type.as_bytes());
    bytes.extend_from_slice(&result.bytes);
    bytes
}

/// What [`result`] kept.
pub(crate) fn read_result(kept: &[u8]) -> Checked<Payload> {
    if kept.is_empty() {
        return Ok(payload_of(String::new(), kept));
    }
    let mut bytes = Bytes(kept);
    let length = u16::from_le_bytes(bytes.array()?);
    let content_type = bytes.text(usize::from(length))?;
    Ok(payload_of(content_type.to_owned(), bytes.0))
}

impl First {
    pub(crate) fn read(id: JobId, kept: &[u8]) -> Checked<Self> {
        let mut bytes = Bytes(kept);
        let [status] = bytes.array()?;
        let at = bytes.moment()?;
        let [priority] = bytes.array()?;
        let (seq, created_at) = (bytes.whole_number()?, bytes.moment()?);
        let mut fixed = Bytes(bytes.sized()?);
        let _max_crashes: [u8; 4] = fixed.array()?;
        // Keys, if there are any, come behind; they are in the rest too.
        let (queue, name, owner) = (fixed.word()?, fixed.word()?, fixed.word()?);
        let length = u32::from_le_bytes(bytes.array()?);
        let spec = Spec::decode(bytes.take(length as usize)?)?;
        let new = NewJob {
            id,
            name: JobName::new(name)?,
            queue: QueueName::new(queue)?,
            priority: Priority::new(priority)?,
            start: spec.start,
            payload: payload_of(spec.content_type, bytes.0),
            retry: spec.retry,
            timeout: spec.timeout,
            owner: (!owner.is_empty()).then(|| Owner::new(owner)).transpose()?,
            context: spec.context,
            traceparent: spec.traceparent,
            cause: spec.cause,
            conditions: spec.conditions,
        };
        Ok(Self { status: known(status)?, at, seq, created_at, new })
    }
}

impl State {
    /// Where a job stands that nothing has happened to.
    pub(crate) fn at_first(first: &First) -> Self {
        Self {
            status: first.status,
            updated_at: first.created_at,
            at: first.at,
            token: Token(first.created_at.as_micros().max(0) as u64),
            started_at: Timestamp::default(),
            worker: None,
            retries: 0,
            crashes: 0,
            cancel_requested: false,
        }
    }

    pub(crate) fn read(kept: &[u8]) -> Checked<Self> {
        let mut bytes = Bytes(kept);
        let [status] = bytes.array()?;
        let (updated_at, at) = (bytes.moment()?, bytes.moment()?);
        let (token, started_at) = (bytes.whole_number()?, bytes.moment()?);
        let worker: [u8; 16] = bytes.array()?;
        let (retries, crashes) = (u32::from_le_bytes(bytes.array()?), u32::from_le_bytes(bytes.array()?));
        let [cancel, _suspect] = bytes.array()?;
        Ok(Self {
            status: known(status)?,
            updated_at,
            at,
            token: Token(token),
            started_at,
            worker: (worker != [0; 16]).then(|| Incarnation::from_bytes(worker)),
            retries,
            crashes,
            cancel_requested: cancel != 0,
        })
    }
}

/// A status by its code.
fn known(code: u8) -> Checked<Status> {
    Status::from_code(code).ok_or_else(|| Fault::corrupt("a job has an unknown status"))
}

/// Where an imported job stands, as `lua/layout.lua` lays it out. The script gives it its token.
pub(crate) fn state(job: &Job) -> Vec<u8> {
    let new = &*job.new;
    let suspect = u8::from(new.retry.is_suspect(job.crashes));
    let at = job.scheduled_at.unwrap_or_default();
    let started = job.started_at.unwrap_or_default();
    let mut bytes = vec![job.status.code()];
    bytes.extend([job.updated_at, at].map(moment_bytes).concat());
    bytes.extend([0; 8]);
    bytes.extend(moment_bytes(started));
    bytes.extend(job.started_at.map_or([0; 16], |_| last_worker(job)));
    bytes.extend(job.retries.to_le_bytes());
    bytes.extend(job.crashes.to_le_bytes());
    bytes.extend([0, suspect]);
    bytes.extend(new.queue.as_str().as_bytes());
    bytes.push(0);
    bytes
}

/// Who had the job last. Where no history says so it was somebody, because a job that nobody had never started.
fn last_worker(job: &Job) -> [u8; 16] {
    job.attempts.last().map_or([u8::MAX; 16], |attempt| *attempt.worker.as_bytes())
}

/// The whole history of an imported job, as `remember` in `lua/job.lua` keeps it.
pub(crate) fn history(attempts: &[Attempt]) -> Checked<Vec<u8>> {
    let mut bytes = Vec::new();
    for attempt in attempts {
        let mut record = attempt.number.to_le_bytes().to_vec();
        record.extend(moment_bytes(attempt.started_at));
        record.extend(moment_bytes(attempt.finished_at));
        record.push(attempt.outcome.code());
        record.extend(attempt.worker.as_bytes());
        record.extend(attempt.error.as_ref().map(seal).transpose()?.unwrap_or_default());
        bytes.extend((record.len() as u32).to_le_bytes());
        bytes.append(&mut record);
    }
    Ok(bytes)
}

fn moment_bytes(moment: Timestamp) -> [u8; 8] {
    (moment.as_micros() as f64).to_le_bytes()
}

/// How a settlement begins: id, token, and how the attempt ended.
pub(crate) fn settled(lease: Lease, how: u8) -> [u8; 25] {
    let mut bytes = [how; 25];
    bytes[..16].copy_from_slice(lease.id.as_bytes());
    bytes[16..24].copy_from_slice(&(lease.token.0 as f64).to_le_bytes());
    bytes
}

/// A duration as scripts count.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The attempts of the history, oldest first, as `remember` in `lua/job.lua` keeps them.
pub(crate) fn attempts(kept: &[u8]) -> Checked<Vec<Attempt>> {
    let mut bytes = Bytes(kept);
    let mut attempts = Vec::new();
    while !bytes.0.is_empty() {
        let length = u32::from_le_bytes(bytes.array()?);
        attempts.push(attempt(bytes.take(length as usize)?)?);
    }
    Ok(attempts)
}

fn attempt(kept: &[u8]) -> Checked<Attempt> {
    let mut bytes = Bytes(kept);
    let number = u32::from_le_bytes(bytes.array()?);
    let (started_at, finished_at) = (bytes.moment()?, bytes.moment()?);
    let [code] = bytes.array()?;
    let worker = Incarnation::from_bytes(bytes.array()?);
    Ok(Attempt {
        number,
        started_at,
        finished_at,
        outcome: AttemptOutcome::from_code(code)
            .ok_or_else(|| Fault::corrupt("an attempt on record has an unknown outcome"))?,
        error: (!bytes.0.is_empty()).then(|| unseal("error", bytes.0)).transpose()?,
        worker,
    })
}

/// An id, as keys hold it.
pub(crate) fn id(bytes: &[u8]) -> Checked<JobId> {
    Ok(JobId::from_bytes(Bytes(bytes).array()?))
}

/// What is left to read.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Checked<&'a [u8]> {
        let short = || Fault::corrupt("a record is shorter than it says");
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// What stands behind its length.
    fn sized(&mut self) -> Checked<&'a [u8]> {
        let length = u16::from_le_bytes(self.array()?);
        self.take(usize::from(length))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Checked<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Fault::corrupt("a record is shorter than it says"))
    }

    fn text(&mut self, length: usize) -> Checked<&'a str> {
        std::str::from_utf8(self.take(length)?).map_err(|_| Fault::corrupt("a record holds no text where it should"))
    }

    /// Up to the next zero byte.
    fn word(&mut self) -> Checked<&'a str> {
        let length = self.0.iter().position(|byte| *byte == 0);
        let word = self.text(length.ok_or_else(|| Fault::corrupt("a record does not end"))?)?;
        self.take(1)?;
        Ok(word)
    }

    /// Lua's numbers are floating; below 2^53 they count exactly, which is the year 2255 in microseconds.
    pub(crate) fn whole_number(&mut self) -> Checked<u64> {
        Ok(f64::from_le_bytes(self.array()?) as u64)
    }

    pub(crate) fn moment(&mut self) -> Checked<Timestamp> {
        Ok(Timestamp::from_micros(f64::from_le_bytes(self.array()?) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_comes_back_as_it_was() {
        let text = Payload::new("text/plain", "done");
        assert_eq!(read_result(&result(&text)).ok(), Some(text));
        assert!(result(&Payload::new("", "")).is_empty());
    }

    #[test]
    fn what_is_cut_off_is_corrupt_and_no_panic() {
        let whole = [0_u8; 90];
        for length in 0..whole.len() {
            let cut = &whole[..length];
            assert!(
                State::read(&cut[..length.min(59)]).is_err() && First::read(JobId::from_bytes([1; 16]), cut).is_err()
            );
            assert!(attempt(&whole[..length.min(36)]).is_err());
        }
        assert!(read_result(&[9]).is_err() && read_result(&[9, 0, 1]).is_err());
    }
}
