//! The thread from a submission to its runs: a W3C `traceparent` that is stored with the job, and the message that the
//! job follows from.
//!
//! A caller's own is kept. A job that brings none gets one where somebody listens to the `job.submit` span, so that it
//! and the job's `job.run` spans share a trace id, in whichever process those are written. Where nobody listens there
//! is nothing to link to.

use windlass_core::NewJob;
use windlass_dispatch::MessageContext;

/// Gives the job a trace of its own unless it belongs to one or nobody listens.
pub(crate) fn ensure(job: &mut NewJob) {
    if let Some(context) = MessageContext::current() {
        job.cause.get_or_insert_with(|| Box::new(context.follows()));
        job.traceparent = job.traceparent.take().or_else(|| context.traceparent().map(str::to_owned));
    }
    if tracing::enabled!(tracing::Level::INFO) {
        begin(job);
    }
}

/// W3C Trace Context, section 3.2.
fn begin(job: &mut NewJob) {
    job.traceparent.get_or_insert_with(|| format!("00-{:032x}-{:016x}-01", fastrand::u128(1..), fastrand::u64(1..)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::{Payload, Timestamp};

    #[test]
    fn a_trace_is_kept_or_made() {
        let mut job = NewJob::build("Job", Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid");
        begin(&mut job);
        let made = job.traceparent.clone().expect("made");
        assert_eq!((made.len(), &made[..3], &made[52..]), (55, "00-", "-01"));
        begin(&mut job);
        assert_eq!(job.traceparent, Some(made));
    }
}
