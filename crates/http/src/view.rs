//! The job as clients see it: camelCase JSON, a superset of the seeds' shape.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use windlass_core::{Attempt, AttemptOutcome, Job, JobError, JobId, NewJob, Payload, Progress, Status, Timestamp};

/// A job as clients see it. It shows no payload, no context, no owner, and nothing of the process that ran it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobView<'a> {
    /// Its id.
    pub id: JobId,
    /// Its handler.
    pub name: &'a str,
    /// Where it stands.
    pub status: Status,
    /// Retries spent.
    pub retry_count: u32,
    /// Retries allowed.
    pub max_retries: u32,
    /// When the store accepted it.
    #[serde(serialize_with = "moment")]
    pub created_at: Timestamp,
    /// When its latest attempt began.
    #[serde(serialize_with = "maybe")]
    pub started_at: Option<Timestamp>,
    /// When it completed, failed or was canceled.
    #[serde(serialize_with = "maybe")]
    pub completed_at: Option<Timestamp>,
    /// When anything of it changed last.
    #[serde(serialize_with = "moment")]
    pub last_updated_at: Timestamp,
    /// What its handler returned, when that can be shown in JSON; the result route has it in any case.
    pub result: Option<ResultView<'a>>,
    /// Why it failed, or why its latest attempt did.
    pub error: Option<&'a JobError>,
    /// The line it waits in.
    pub queue: &'a str,
    /// Its place in that line, 0 (first) to 9 (last).
    pub priority: u8,
    /// When it may start, while it is scheduled.
    #[serde(serialize_with = "maybe")]
    pub scheduled_at: Option<Timestamp>,
    /// Whether its running handler has been asked to stop.
    pub cancel_requested: bool,
    /// How far it says it is.
    pub progress: Option<&'a Progress>,
    /// Its attempts that ended, oldest first.
    #[serde(serialize_with = "history")]
    pub attempts: &'a [Attempt],
    #[serde(skip)]
    jobs: &'a str,
}

/// A result inside the job's JSON.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum ResultView<'a> {
    /// The handler's own JSON, byte for byte.
    Json(&'a RawValue),
    /// A text result, as a JSON string.
    Text(&'a str),
}

impl<'a> ResultView<'a> {
    fn of(payload: &'a Payload) -> Option<Self> {
        if payload.is_json() {
            // Scans without building anything. What says JSON and is none would break the whole answer.
            return serde_json::from_slice(&payload.bytes).ok().map(Self::Json);
        }
        let text = payload.content_type.get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case("text/"));
        text.then(|| std::str::from_utf8(&payload.bytes).ok().map(Self::Text)).flatten()
    }
}

impl<'a> JobView<'a> {
    /// What a stored job looks like. `jobs` is the path under which jobs are found.
    pub(crate) fn of(job: &'a Job, jobs: &'a str) -> Self {
        Self {
            status: job.status,
            retry_count: job.retries,
            started_at: job.started_at,
            completed_at: job.finished_at,
            last_updated_at: job.updated_at,
            result: job.result.as_ref().and_then(ResultView::of),
            error: job.error.as_ref(),
            scheduled_at: job.scheduled_at,
            cancel_requested: job.cancel_requested,
            // The last report of work that is done may say less than all.
            progress: job.progress.as_ref().filter(|_| job.status != Status::Completed),
            attempts: &job.attempts,
            ..Self::accepted(&job.new, job.new.id, job.created_at, jobs)
        }
    }

    /// What a job looks like that the store accepted at `at` under `id`, without asking the store again.
    pub(crate) fn accepted(new: &'a NewJob, id: JobId, at: Timestamp, jobs: &'a str) -> Self {
        let scheduled_at = new.start.due(at);
        Self {
            id,
            name: new.name.as_str(),
            status: if scheduled_at.is_some() { Status::Scheduled } else { Status::Queued },
            retry_count: 0,
            max_retries: new.retry.max_retries,
            created_at: at,
            started_at: None,
            completed_at: None,
            last_updated_at: at,
            result: None,
            error: None,
            queue: new.queue.as_str(),
            priority: new.priority.level(),
            scheduled_at,
            cancel_requested: false,
            progress: None,
            attempts: &[],
            jobs,
        }
    }

    /// Where to follow it: `/jobs/{id}`.
    pub fn location(&self) -> String {
        format!("{}/{}", self.jobs, self.id)
    }

    /// The JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(512);
        // Cannot fail: nothing in here has a failing `Serialize`, and a Vec takes every byte.
        let _ = serde_json::to_writer(&mut json, self);
        json
    }

    /// A weak entity tag that changes whenever the JSON does.
    pub(crate) fn etag(&self) -> String {
        let mut hash = DefaultHasher::new();
        (self.id, self.last_updated_at, self.status, self.retry_count).hash(&mut hash);
        (self.attempts.len(), self.cancel_requested, self.error.is_some()).hash(&mut hash);
        if let Some(progress) = self.progress {
            (progress.fraction.to_bits(), &progress.message).hash(&mut hash);
        }
        format!("W/\"{:016x}\"", hash.finish())
    }
}

/// An attempt as clients see it: without the process that ran it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptView<'a> {
    number: u32,
    #[serde(serialize_with = "moment")]
    started_at: Timestamp,
    #[serde(serialize_with = "moment")]
    finished_at: Timestamp,
    outcome: AttemptOutcome,
    error: Option<&'a JobError>,
}

impl<'a> From<&'a Attempt> for AttemptView<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        let Attempt { number, started_at, finished_at, outcome, ref error, worker: _ } = *attempt;
        Self { number, started_at, finished_at, outcome, error: error.as_ref() }
    }
}

fn moment<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

fn maybe<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.collect_str(moment),
        None => serializer.serialize_none(),
    }
}

fn history<S: Serializer>(attempts: &[Attempt], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(attempts.len()))?;
    for attempt in attempts {
        list.serialize_element(&AttemptView::from(attempt))?;
    }
    list.end()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use windlass_core::Incarnation;

    use super::*;

    fn job(result: Payload) -> Job {
        let at = Timestamp::from_millis(1_760_437_800_000);
        let id = "5b7e0e4a-8f8b-4c8a-9f1f-8d8f8e8f8e8f".parse().expect("valid");
        let new = NewJob::build("ProcessData", Payload::empty()).id(id).finish(at).expect("valid");
        let attempt = Attempt {
            number: 1,
            started_at: at,
            finished_at: at,
            outcome: AttemptOutcome::Failed,
            error: Some(JobError::new("HANDLER_ERROR", "no luck")),
            worker: Incarnation::random(),
        };
        Job {
            new: Arc::new(new),
            status: Status::Completed,
            retries: 1,
            crashes: 0,
            cancel_requested: false,
            created_at: at,
            scheduled_at: None,
            started_at: Some(at),
            finished_at: Some(at),
            updated_at: at,
            progress: Some(Progress { fraction: 0.5, message: None }),
            result: Some(result),
            error: None,
            attempts: vec![attempt],
        }
    }

    fn json(job: &Job) -> String {
        String::from_utf8(JobView::of(job, "/jobs").to_json()).expect("UTF-8")
    }

    #[test]
    fn the_json_has_the_seeds_fields_first_and_then_ours() {
        let expected = concat!(
            r#"{"id":"5b7e0e4a-8f8b-4c8a-9f1f-8d8f8e8f8e8f","name":"ProcessData","status":"Completed","retryCount":1,"#,
            r#""maxRetries":3,"createdAt":"2025-10-14T10:30:00.000Z","startedAt":"2025-10-14T10:30:00.000Z","#,
            r#""completedAt":"2025-10-14T10:30:00.000Z","lastUpdatedAt":"2025-10-14T10:30:00.000Z","#,
            r#""result":{"n" : 1.00},"error":null,"queue":"default","priority":5,"scheduledAt":null,"#,
            r#""cancelRequested":false,"progress":null,"#,
            r#""attempts":[{"number":1,"startedAt":"2025-10-14T10:30:00.000Z","#,
            r#""finishedAt":"2025-10-14T10:30:00.000Z","outcome":"Failed","#,
            r#""error":{"code":"HANDLER_ERROR","message":"no luck"}}]}"#,
        );
        assert_eq!(json(&job(Payload::new("application/json", r#"{"n" : 1.00}"#))), expected);
    }

    #[test]
    fn text_is_a_string_and_what_cannot_be_shown_is_null() {
        for (content_type, bytes, shown) in [
            ("text/plain; charset=utf-8", &b"a\"b"[..], r#""result":"a\"b""#),
            ("Text/CSV", b"1,2", r#""result":"1,2""#),
            ("text/plain", b"\xff", r#""result":null"#),
            ("application/json", b"{broken", r#""result":null"#),
            ("application/json", b"\"\xff\"", r#""result":null"#),
            ("image/png", b"\x89PNG", r#""result":null"#),
            ("", b"", r#""result":null"#),
        ] {
            let json = json(&job(Payload::new(content_type, bytes.to_vec())));
            assert!(json.contains(shown), "{content_type}: {json}");
            serde_json::from_str::<serde::de::IgnoredAny>(&json).expect("the whole stays valid JSON");
        }
    }

    #[test]
    fn the_tag_changes_with_progress_even_within_one_microsecond() {
        let one = Job { status: Status::InProgress, ..job(Payload::empty()) };
        let other = Job { progress: Some(Progress { fraction: 0.6, message: None }), ..one.clone() };
        assert_ne!(JobView::of(&one, "").etag(), JobView::of(&other, "").etag());
        assert_eq!(JobView::of(&one, "").etag(), JobView::of(&one.clone(), "/jobs").etag());
    }
}
