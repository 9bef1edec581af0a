//! The handler that Windlass runs in every question.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use windlass_core::{JobId, NewJob, Payload, Timestamp};
use windlass_dispatch::{Context, Handler, Json};

use crate::Fault;
use crate::mail::Mail;
use crate::moments::Moments;
use crate::tally::Tally;

/// Marks the job that it runs, and does nothing else.
#[derive(Clone)]
pub(crate) struct SendMail {
    pub(crate) tally: Arc<Tally>,
    /// Where the start of each job is noted, if somebody wants to know.
    pub(crate) started: Option<Arc<Moments>>,
    /// How long a job takes.
    pub(crate) work: Duration,
}

/// What it answers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Receipt {
    pub(crate) id: u64,
    pub(crate) accepted: &'static str,
}

impl SendMail {
    /// A handler for jobs 0 to `jobs` - 1.
    pub(crate) fn counting(jobs: u64) -> Self {
        Self { tally: Arc::new(Tally::of(jobs)), started: None, work: Duration::ZERO }
    }

    /// What the handler does with a mail; the floors do the same.
    pub(crate) fn accept(&self, mail: &Mail) -> Receipt {
        if let Some(started) = &self.started {
            started.note(mail.id);
        }
        self.tally.mark(mail.id);
        Receipt { id: mail.id, accepted: "250 OK" }
    }
}

impl Handler for SendMail {
    type Input = Json<Mail>;
    type Output = Json<Receipt>;
    const NAME: &'static str = "SendMail";

    async fn run(&self, Json(mail): Json<Mail>, _cx: Context) -> windlass_dispatch::Result<Json<Receipt>> {
        let receipt = self.accept(&mail);
        if !self.work.is_zero() {
            tokio::time::sleep(self.work).await;
        }
        Ok(Json(receipt))
    }
}

/// Job `number`, ready to be submitted.
pub(crate) fn job(number: u64, now: Timestamp) -> Result<NewJob, Fault> {
    let payload = Payload::json(&Mail::numbered(number))?;
    Ok(NewJob::build(SendMail::NAME, payload).id(numbered_id(number, now)).finish(now)?)
}

/// An id as Windlass makes it, with the job's number in its last four bytes.
pub(crate) fn numbered_id(number: u64, now: Timestamp) -> JobId {
    let mut bytes = *JobId::generate(now).as_bytes();
    bytes[12..].copy_from_slice(&(number as u32).to_be_bytes());
    JobId::from_bytes(bytes)
}

/// The number in an id made by [`numbered_id`].
pub(crate) fn number_of(id: JobId) -> u64 {
    let [.., a, b, c, d] = *id.as_bytes();
    u64::from(u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_number() {
        let id = numbered_id(1_234_567, Timestamp::from_millis(1));
        assert_eq!(number_of(id), 1_234_567);
        assert_eq!(id.as_uuid().get_version_num(), 7);
    }
}
