//! The thread from a submission to its runs: a W3C `traceparent` that is stored with the job.
//!
//! A caller's own is kept. A job that brings none gets one, so that the `job.submit` and `job.run` spans of one job
//! always share a trace id, in whichever process they are written.

use windlass_core::NewJob;

/// Gives the job a trace of its own unless it belongs to one (W3C Trace Context, section 3.2).
pub(crate) fn ensure(job: &mut NewJob) {
    job.traceparent.get_or_insert_with(|| format!("00-{:032x}-{:016x}-01", fastrand::u128(1..), fastrand::u64(1..)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::{Payload, Timestamp};

    #[test]
    fn a_trace_is_kept_or_made() {
        let mut job = NewJob::build("Job", Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid");
        ensure(&mut job);
        let made = job.traceparent.clone().expect("made");
        assert_eq!((made.len(), &made[..3], &made[52..]), (55, "00-", "-01"));
        ensure(&mut job);
        assert_eq!(job.traceparent, Some(made));
    }
}
