//! The bytes that are kept: where a job stands, which scripts write, and what was submitted, which only this file reads.

use std::time::Duration;

use windlass_core::{
    Attempt, AttemptOutcome, Incarnation, Job, JobId, JobName, NewJob, Owner, Payload, Priority, QueueName, Status,
    Timestamp,
};
use windlass_store::Token;
use windlass_store::codec::{Spec, payload_of, seal, unseal};

use crate::fault::{Checked, Fault};

/// Where a job stands: `LAYOUT` in `lua/job.lua`, and what never changes of it.
pub(crate) struct State {
    pub(crate) status: Status,
    pub(crate) cancel_requested: bool,
    pub(crate) priority: Priority,
    pub(crate) token: Token,
    pub(crate) seq: u64,
    pub(crate) retries: u32,
    pub(crate) crashes: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// When it is due, or when its lease ends.
    pub(crate) at: Timestamp,
    pub(crate) started_at: Timestamp,
    /// `None` when no worker ever had it.
    pub(crate) worker: Option<Incarnation>,
    pub(crate) queue: QueueName,
    pub(crate) name: JobName,
    pub(crate) owner: Option<Owner>,
}

/// What never changes of a job's state: crashes at most, queue, name and owner.
pub(crate) fn fixed(new: &NewJob) -> Vec<u8> {
    let owner = new.owner.as_ref().map_or("", Owner::as_str);
    let mut bytes = new.retry.max_crashes.to_le_bytes().to_vec();
    for text in [new.queue.as_str(), new.name.as_str(), owner] {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

/// What was submitted besides.
pub(crate) fn submitted(new: &NewJob) -> Checked<Vec<u8>> {
    let spec = Spec::encode(new)?;
    let mut bytes = Vec::with_capacity(4 + spec.len() + new.payload.bytes.len());
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

impl State {
    pub(crate) fn read(kept: &[u8]) -> Checked<Self> {
        let mut bytes = Bytes(kept);
        let [status, cancel, priority, _suspect] = bytes.array()?;
        let (token, seq) = (bytes.whole_number()?, bytes.whole_number()?);
        let (retries, crashes) = (u32::from_le_bytes(bytes.array()?), u32::from_le_bytes(bytes.array()?));
        let (created_at, updated_at) = (bytes.moment()?, bytes.moment()?);
        let (at, started_at) = (bytes.moment()?, bytes.moment()?);
        let worker: [u8; 16] = bytes.array()?;
        let _max_crashes: [u8; 4] = bytes.array()?;
        let (queue, name, owner) = (bytes.word()?, bytes.word()?, bytes.word()?);
        Ok(Self {
            status: Status::from_code(status).ok_or_else(|| Fault::corrupt("a job has an unknown status"))?,
            cancel_requested: cancel != 0,
            priority: Priority::new(priority)?,
            token: Token(token),
            seq,
            retries,
            crashes,
            created_at,
            updated_at,
            at,
            started_at,
            worker: (worker != [0; 16]).then(|| Incarnation::from_bytes(worker)),
            queue: QueueName::new(queue)?,
            name: JobName::new(name)?,
            owner: (!owner.is_empty()).then(|| Owner::new(owner)).transpose()?,
        })
    }

    /// The job as it was submitted.
    pub(crate) fn new_job(&self, id: JobId, submitted: &[u8]) -> Checked<NewJob> {
        let mut bytes = Bytes(submitted);
        let length = u32::from_le_bytes(bytes.array()?);
        let spec = Spec::decode(bytes.take(length as usize)?)?;
        Ok(NewJob {
            id,
            name: self.name.clone(),
            queue: self.queue.clone(),
            priority: self.priority,
            start: spec.start,
            payload: payload_of(spec.content_type, bytes.0),
            retry: spec.retry,
            timeout: spec.timeout,
            owner: self.owner.clone(),
            context: spec.context,
            traceparent: spec.traceparent,
        })
    }
}

/// Where an imported job stands, as `LAYOUT` in `lua/job.lua` says. The script gives it its token and its number.
pub(crate) fn state(job: &Job) -> Vec<u8> {
    let new = &*job.new;
    let suspect = u8::from(new.retry.is_suspect(job.crashes));
    let at = job.scheduled_at.unwrap_or_default();
    let started = job.started_at.unwrap_or_default();
    let mut bytes = vec![job.status.code(), 0, new.priority.level(), suspect];
    bytes.extend([0; 16]);
    bytes.extend(job.retries.to_le_bytes());
    bytes.extend(job.crashes.to_le_bytes());
    for moment in [job.created_at, job.updated_at, at, started] {
        bytes.extend(moment_bytes(moment));
    }
    bytes.extend(job.started_at.map_or([0; 16], |_| last_worker(job)));
    bytes.extend(fixed(new));
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
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Checked<&'a [u8]> {
        let short = || Fault::corrupt("a record is shorter than it says");
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Checked<[u8; N]> {
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
    fn whole_number(&mut self) -> Checked<u64> {
        Ok(f64::from_le_bytes(self.array()?) as u64)
    }

    fn moment(&mut self) -> Checked<Timestamp> {
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
            assert!(State::read(&whole[..length]).is_err() && attempt(&whole[..length.min(36)]).is_err());
        }
        assert!(read_result(&[9]).is_err() && read_result(&[9, 0, 1]).is_err());
    }
}
